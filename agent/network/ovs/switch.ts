import { access, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { failedPrecondition, messageOf, unavailable } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import type { ProcessIdentity } from "../../../lib/process.js";
import { run } from "../../host/exec.js";
import { ip, listLinks } from "../ip.js";
import { ensureNetns, removeNetns } from "../netns.js";
import { OvsDaemons } from "./daemons.js";
import type { OperationResult, OvsdbClient, OvsdbOperation } from "./ovsdb-client.js";
import { type MirrorChange, OvsdbMirror } from "./ovsdb-mirror.js";
import { findScalar } from "./ovsdb-values.js";
import { growPacketBuffers } from "./packet-buffers.js";

/** How to open an agent's switch. */
export interface SwitchOptions {
  /** The agent's state directory; the switch keeps its files in `ovs` below it. */
  readonly stateDirectory: string;
  readonly agentUid: string;
  /** Net namespace of the switch; made unless it is there. */
  readonly netns: string;
  readonly log: Log;
  /** Ends the opening. */
  readonly signal: AbortSignal;
}

/** Datapath of the bridges: the kernel's, or the one in ovs-vswitchd. */
export type Datapath = "system" | "netdev";

/** How often the daemons are looked at. */
const watchIntervalMs = 1000;
const applyTimeoutMs = 15_000;
/** Longest path of a unix socket, less the names that Open vSwitch makes below the directory. */
const maxDirectoryBytes = 80;

/**
 * An agent's own Open vSwitch in its own net namespace. The daemons outlive the agent: opening again takes them over as they
 * run. A daemon that ends is started again.
 */
export class Switch {
  readonly netns: string;
  readonly agentUid: string;
  readonly datapath: Datapath;
  readonly #log: Log;
  readonly #directory: string;
  readonly #daemons: OvsDaemons;
  readonly #changes = new Set<(change: MirrorChange) => void>();
  readonly #restarts = new Set<() => void>();
  readonly #queue = new KeyedQueue(1024);
  readonly #closing = new AbortController();
  #connection: { client: OvsdbClient; mirror: OvsdbMirror } | undefined;
  #failure = "";
  #watching: Promise<void> = Promise.resolve();

  private constructor(options: SwitchOptions, directory: string, datapath: Datapath) {
    this.netns = options.netns;
    this.agentUid = options.agentUid;
    this.datapath = datapath;
    this.#log = options.log;
    this.#directory = directory;
    this.#daemons = new OvsDaemons({ directory, netns: options.netns, log: options.log });
  }

  /**
   * Opens the switch: namespace, daemons, connection. Idempotent; disturbs nothing that runs.
   * @throws {ZorError} FAILED_PRECONDITION, UNAVAILABLE; {ToolError}
   */
  static async open(options: SwitchOptions): Promise<Switch> {
    const directory = join(options.stateDirectory, "ovs");
    if (Buffer.byteLength(directory) > maxDirectoryBytes) {
      throw failedPrecondition(
        "STATE_PATH_TOO_LONG",
        "",
        `the state directory's path is too long for unix sockets; choose one of at most ${maxDirectoryBytes - 4} bytes`,
      );
    }
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await ensureNetns(options.netns, { agentUid: options.agentUid, signal: options.signal });
    const opened = new Switch(options, directory, await detectDatapath());
    options.signal.throwIfAborted();
    await opened.#connect();
    opened.#watching = opened.#watch();
    return opened;
  }

  /** Why the switch does not work now, for people; empty when it does. */
  get failure(): string {
    return this.#failure;
  }

  /** The database as it is. @throws {ZorError} UNAVAILABLE while the daemons are being restarted. */
  get mirror(): OvsdbMirror {
    return this.#connected().mirror;
  }

  /**
   * Changes the database in one transaction and waits until ovs-vswitchd has applied it. Changes are made one after the other.
   * @param build gets the current database and returns the operations; none: nothing to do.
   */
  change(build: (mirror: OvsdbMirror) => readonly OvsdbOperation[]): Promise<readonly OperationResult[]> {
    return this.#queue.run("switch", async () => {
      const { client, mirror } = this.#connected();
      const operations = build(mirror);
      if (operations.length === 0) return [];
      const root = mirror.root().uuid;
      const where = [["_uuid", "==", ["uuid", root]]];
      const results = await client.transact([
        ...operations,
        { op: "mutate", table: "Open_vSwitch", where, mutations: [["next_cfg", "+=", 1]] },
        { op: "select", table: "Open_vSwitch", where, columns: ["next_cfg"] },
      ]);
      const wanted = Number(results.at(-1)?.rows?.[0]?.["next_cfg"]);
      await this.#applied(mirror, wanted);
      return results;
    });
  }

  /** Calls back after every change of the database, also of counters. Returns the way to stop. */
  onChange(listener: (change: MirrorChange) => void): () => void {
    this.#changes.add(listener);
    return () => this.#changes.delete(listener);
  }

  /** Calls back when daemons had to be started again. Returns the way to stop. */
  onRestart(listener: () => void): () => void {
    this.#restarts.add(listener);
    return () => this.#restarts.delete(listener);
  }

  /** The daemons that run, for observation. */
  async processes(): Promise<Readonly<Record<string, ProcessIdentity>>> {
    return this.#daemons.find();
  }

  /** Gives ports that were added room for bursts. Call after a port was added; idempotent. */
  async growPacketBuffers(): Promise<void> {
    const { "ovs-vswitchd": vswitchd } = await this.#daemons.find();
    if (vswitchd !== undefined) await growPacketBuffers(vswitchd.pid);
  }

  /** Lets go of the switch; the daemons keep running. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#connection?.client.close();
    await this.#watching;
    this.#connection?.client.close();
  }

  /** Removes everything: daemons, bridges, database, and the namespace if we made it. */
  async destroy(): Promise<void> {
    const bridges = (this.#connection?.mirror.list("Bridge") ?? []).map(({ columns }) =>
      String(findScalar(columns["name"]) ?? ""),
    );
    await this.close();
    await this.#daemons.stop();
    await this.#removeDevices(["ovs-netdev", ...bridges]);
    await rm(this.#directory, { recursive: true, force: true });
    await removeNetns(this.netns, { agentUid: this.agentUid });
  }

  /** Taps of the userspace datapath are persistent: its own always stays, those of bridges when the daemon did not end in good order. */
  async #removeDevices(names: readonly string[]): Promise<void> {
    if (this.datapath !== "netdev") return;
    const where = { netns: this.netns };
    const existing = async () =>
      (await listLinks(where)).map(({ ifname }) => ifname).filter((name) => names.includes(name));
    for (const name of await existing()) {
      await ip(["link", "delete", "dev", name], where).catch(async (error: unknown) => {
        // The kernel may have come first: it removes the others when the last thread of the daemon is gone.
        if ((await existing()).includes(name)) throw error;
      });
    }
  }

  #connected(): { client: OvsdbClient; mirror: OvsdbMirror } {
    if (this.#connection !== undefined) return this.#connection;
    throw unavailable(
      "SWITCH_UNAVAILABLE",
      "",
      `the switch does not run (${this.#failure}); the agent starts it again by itself`,
    );
  }

  async #connect(): Promise<boolean> {
    const { client, started } = await this.#daemons.ensure();
    try {
      const mirror = await OvsdbMirror.start(client);
      mirror.onChange((change) => this.#notify(change));
      this.#connection = { client, mirror };
    } catch (error) {
      client.close();
      throw error;
    }
    this.#failure = "";
    void client.closed.then(() => {
      if (this.#connection?.client === client) this.#connection = undefined;
    });
    return started.length > 0;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await Promise.race([
        delay(watchIntervalMs, undefined, { signal }).catch(() => undefined),
        ...(this.#connection === undefined ? [] : [this.#connection.client.closed]),
      ]);
      if (signal.aborted) return;
      try {
        if (this.#connection !== undefined && Object.keys(await this.#daemons.find()).length === 2) continue;
        this.#connection?.client.close();
        this.#connection = undefined;
        this.#log.warn("a daemon of the switch has ended; it is started again");
        if (await this.#connect()) for (const listener of this.#restarts) listener();
        this.#notify("structure");
      } catch (error) {
        this.#failure = messageOf(error);
        this.#log.error({ err: error }, "the switch could not be started again");
        this.#notify("structure");
        await delay(watchIntervalMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #notify(change: MirrorChange): void {
    for (const listener of this.#changes) listener(change);
  }

  /** ovs-vswitchd sets cur_cfg to the next_cfg it has applied. */
  async #applied(mirror: OvsdbMirror, wanted: number): Promise<void> {
    const done = Promise.withResolvers<void>();
    const check = () => {
      if (Number(mirror.root().columns["cur_cfg"]) >= wanted) done.resolve();
    };
    const stop = mirror.onChange(check);
    const timer = setTimeout(
      () =>
        done.reject(
          unavailable("SWITCH_SLOW", "", `the switch did not apply a change within ${applyTimeoutMs / 1000} s`),
        ),
      applyTimeoutMs,
    );
    check();
    try {
      await done.promise;
    } finally {
      clearTimeout(timer);
      stop();
    }
  }
}

/** The kernel's datapath where it is, or can be loaded. */
async function detectDatapath(): Promise<Datapath> {
  const loaded = () =>
    access("/sys/module/openvswitch").then(
      () => true,
      () => false,
    );
  if (await loaded()) return "system";
  await run("modprobe", ["openvswitch"]).catch(() => undefined);
  return (await loaded()) ? "system" : "netdev";
}
