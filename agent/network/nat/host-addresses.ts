import type { ChildProcess } from "node:child_process";
import { lookup } from "node:dns/promises";
import { isIP, isIPv4 } from "node:net";
import { LineSplitter } from "../../../lib/line-splitter.js";
import { runJson, startOwned } from "../../host/exec.js";

/** Addresses and subnets by family. */
export interface Denied {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

const settleMs = 50;
const againMs = 1000;
const maxLineBytes = 64 * 1024;

/**
 * What the host takes for its own, by the kernel's table of local routes: addresses of every interface, and whatever else is delivered on the
 * host; and where its hub is. Followed as the kernel tells of changes, as long as somebody listens.
 */
export class HostAddresses {
  readonly #hubs: () => Promise<readonly string[]>;
  readonly #onChange: () => void;
  readonly #onError: (error: unknown) => void;
  #monitor: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #current: Denied | undefined;
  #isClosed = false;

  /** @param options.hubs names or addresses of the hub's listeners. */
  constructor(options: {
    readonly hubs: () => Promise<readonly string[]>;
    readonly onChange: () => void;
    readonly onError: (error: unknown) => void;
  }) {
    this.#hubs = options.hubs;
    this.#onChange = options.onChange;
    this.#onError = options.onError;
  }

  /** As they are now. From the first call on they are followed. */
  async get(): Promise<Denied> {
    // Followed first: what changes meanwhile is told.
    this.#follow();
    this.#current ??= await this.#read();
    return this.#current;
  }

  /** Follows them no more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#monitor?.kill("SIGTERM");
  }

  #follow(): void {
    if (this.#monitor !== undefined || this.#isClosed) return;
    const monitor = startOwned(["ip", "monitor", "route"], { stdio: ["ignore", "pipe", "ignore"] });
    this.#monitor = monitor;
    const splitter = new LineSplitter(maxLineBytes);
    monitor.stdout?.on("data", (chunk: Buffer) => {
      // A host that learns routes tells of many that are not its own.
      if (splitter.push(chunk).some((line) => /\blocal\b/.test(line.toString("latin1")))) this.#soon(settleMs);
    });
    const ended = (): void => {
      if (this.#monitor !== monitor) return;
      this.#monitor = undefined;
      // What changed meanwhile was not told.
      this.#soon(againMs);
    };
    monitor.once("error", ended);
    monitor.once("exit", ended);
    // What changes before the monitor listens is not told.
    this.#soon(againMs);
  }

  #soon(ms: number): void {
    if (this.#isClosed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#refresh();
    }, ms);
  }

  async #refresh(): Promise<void> {
    try {
      this.#follow();
      const next = await this.#read();
      if (JSON.stringify(next) === JSON.stringify(this.#current)) return;
      this.#current = next;
      this.#onChange();
    } catch (error) {
      this.#onError(error);
      this.#soon(againMs);
    }
  }

  async #read(): Promise<Denied> {
    const local = ["route", "show", "table", "all", "type", "local"];
    const [four, six, hubs] = await Promise.all([
      runJson("ip", ["-4", "-j", ...local]),
      runJson("ip", ["-6", "-j", ...local]),
      this.#resolveHubs(),
    ]);
    return {
      ipv4: sorted([...destinations(four), ...hubs.filter(isIPv4)]),
      ipv6: sorted([...destinations(six), ...hubs.filter((hub) => !isIPv4(hub))]),
    };
  }

  /** A hub whose name nobody knows now is no address that guests could reach. */
  async #resolveHubs(): Promise<readonly string[]> {
    const found = await Promise.all(
      (await this.#hubs()).map(async (hub) =>
        isIP(hub) !== 0 ? [hub] : (await lookup(hub, { all: true }).catch(() => [])).map(({ address }) => address),
      ),
    );
    return found.flat().filter((address) => !address.includes("%"));
  }
}

/** What routes of `ip -j route` lead to; a default route of the host's own would be everything. */
export function destinations(routes: unknown): readonly string[] {
  if (!Array.isArray(routes)) return [];
  return routes.flatMap((route: unknown) => {
    const dst: unknown = typeof route === "object" && route !== null && "dst" in route ? route.dst : undefined;
    const isAddress = typeof dst === "string" && isIP(dst.replace(/\/\d+$/, "")) !== 0;
    return isAddress && !dst.endsWith("/0") ? [dst] : [];
  });
}

function sorted(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}
