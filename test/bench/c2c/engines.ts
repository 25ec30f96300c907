import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type EngineClient, ensureEngine } from "../../../agent/cable/engine-process.js";
import type { Encryption } from "../../../agent/engine/handshake/encryption.js";
import { ensureCableIdentity } from "../../../agent/cable/ensure-cable-identity.js";
import { endProcess } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import type { BenchHost } from "./hosts.js";
import type { RelayAccess } from "./relay.js";
import { endSpec, readEnd, type ReadEnd } from "../../helpers/engine-words.js";

/** How cables are made. */
export interface CableOptions {
  /** Default: "tls". */
  readonly encryption?: Encryption;
  /** What the ends on a and b are told of the relay: then it is their only way. */
  readonly relay?: readonly [RelayAccess, RelayAccess];
}

/** A cable between two engines, with the names of its taps. */
export interface BenchCable {
  readonly tapA: string;
  readonly tapB: string;
}

/** The cable engines of both hosts, as their agents start them. */
export class EnginePair implements AsyncDisposable {
  readonly #sides: readonly [EngineSide, EngineSide];

  private constructor(sides: readonly [EngineSide, EngineSide]) {
    this.#sides = sides;
  }

  /** @param options.netns where the taps go, on a and b. @param options.port data port of both. */
  static async open(options: {
    readonly hosts: readonly [BenchHost, BenchHost];
    readonly netns: readonly [string, string];
    readonly port: number;
  }): Promise<EnginePair> {
    const { hosts, netns, port } = options;
    const a = await openSide(hosts[0], netns[0], port);
    try {
      return new EnginePair([a, await openSide(hosts[1], netns[1], port)]);
    } catch (error) {
      await endProcess(a.process, 5_000);
      throw error;
    }
  }

  /** Process id of the engine of host a. */
  get pid(): number {
    return this.#sides[0].process.pid;
  }

  /** Makes cables and waits until frames cross all of them. The taps count as plugged. */
  async connect(count: number, options: CableOptions = {}): Promise<readonly BenchCable[]> {
    const uids = Array.from({ length: count }, () => randomUUID());
    for (const linkUid of uids) await this.#ensure(linkUid, options);
    return Promise.all(uids.map((linkUid) => this.#activate(linkUid)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client, process } of this.#sides) {
      client.close();
      await endProcess(process, 5_000);
    }
  }

  async #ensure(linkUid: string, { encryption = "tls", relay }: CableOptions): Promise<void> {
    const [a, b] = this.#sides;
    const peerAddresses = relay === undefined ? [a.address] : [];
    const common = {
      link: `links/l${linkUid.slice(0, 8)}`,
      linkUid,
      lan: "lan1",
      ticket: randomBytes(32).toString("hex"),
      ticketTtlSeconds: 600,
      encryption,
    };
    const listener = { ...common, role: "listener" as const, peerAddresses: [], peerKeySha256: b.key };
    await a.client.ask("ensureEnd", { end: endSpec({ ...listener, ...relay?.[0] }) });
    const dialer = { ...common, role: "dialer" as const, peerAddresses, peerKeySha256: a.key };
    await b.client.ask("ensureEnd", { end: endSpec({ ...dialer, ...relay?.[1] }) });
  }

  async #activate(linkUid: string): Promise<BenchCable> {
    for (const { client, ends } of this.#sides) {
      const { name: port, generation } = await eventually(() => readyTap(ends, linkUid));
      await client.ask("setPort", { uid: linkUid, port, generation, fault: "" });
    }
    const [tapA, tapB] = await Promise.all(this.#sides.map(({ ends }) => eventually(() => activeTap(ends, linkUid))));
    return { tapA: tapA ?? "", tapB: tapB ?? "" };
  }
}

interface EngineSide {
  readonly client: EngineClient;
  readonly process: { readonly pid: number; readonly startTicks: string };
  readonly ends: ReadonlyMap<string, ReadEnd>;
  readonly address: string;
  /** Pin, hex. */
  readonly key: string;
}

async function openSide(host: BenchHost, netns: string, port: number): Promise<EngineSide> {
  const directory = join(host.directory, `e${port}`);
  await mkdir(directory, { recursive: true });
  const { keySha256 } = await ensureCableIdentity(directory, () => undefined);
  const ends = new Map<string, ReadEnd>();
  const address = `${host.underlayIp}:${port}`;
  const { client, hello } = await ensureEngine(
    {
      ...{ directory, listen: address, netns, keySha256 },
      underlayNetns: host.underlay,
      allowPlainLinks: true,
      udpSuperFrames: false,
    },
    (event) => {
      for (const end of event.ends) ends.set(end.status.linkUid, readEnd(end));
    },
    new AbortController().signal,
  );
  await client.watch();
  return { client, process: hello, ends, address, key: keySha256.toString("hex") };
}

function readyTap(ends: ReadonlyMap<string, ReadEnd>, linkUid: string): ReadEnd["tap"] {
  const end = ends.get(linkUid);
  if (end?.tap.ready !== true) throw new Error(`the tap of ${linkUid} is not there: ${end?.reason}`);
  return end.tap;
}

function activeTap(ends: ReadonlyMap<string, ReadEnd>, linkUid: string): string {
  const end = ends.get(linkUid);
  if (end?.phase !== "active") throw new Error(`the cable ${linkUid} is ${end?.phase}: ${end?.reason}`);
  return end.tap.name;
}

/** Resident memory of a process, in MiB. */
export async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error(`process ${pid} does not tell its memory`);
  return Number(kib) / 1024;
}
