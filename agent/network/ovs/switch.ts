import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { failedPrecondition, unavailable } from "../../../lib/errors.js";
import { findDevice } from "../../../lib/net/device.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import type { ProcessIdentity } from "../../../lib/process.js";
import { run } from "../../host/exec.js";
import { type Continued, keepGoing } from "../../host/stopped.js";
import { toldOf } from "../../host/told.js";
import { isOwned } from "../bridge-operations.js";
import { ip, listLinks } from "../ip.js";
import { testPortPrefix } from "../names.js";
import { ensureNetns, giveNameBack, removeNetns } from "../netns.js";
import { applied, commit } from "./commit.js";
import { OvsDaemons, type SwitchRestart } from "./daemons.js";
import { DatapathHealth } from "./datapath-health.js";
import { type Datapath, detectDatapath } from "./detect-datapath.js";
import { holdsFrames, letPass } from "./hold-back.js";
import { keepQuiet } from "./keep-quiet.js";
import type { OperationResult, OvsdbClient, OvsdbOperation } from "./ovsdb-client.js";
import { type MirrorChange, OvsdbMirror } from "./ovsdb-mirror.js";
import { findScalar } from "./ovsdb-values.js";
import { growPacketBuffers } from "./packet-buffers.js";
import type { VswitchdClient } from "./vswitchd-client.js";

/** How to open an agent's switch. */
export interface SwitchOptions {
  /** The agent's state directory; the switch keeps its files in `ovs` below it. */
  readonly stateDirectory: string;
  readonly agentUid: string;
  /** Net namespace of the switch; made unless it is there. */
  readonly netns: string;
  /** Once it was started it forwards nothing until {@link Switch.letPass}: no frame meets a bridge without its flows. Default: it does not wait. */
  readonly holdsBack?: boolean | undefined;
  readonly log: Log;
  /** Ends the opening. */
  readonly signal: AbortSignal;
}

/** How often the datapath is looked at, while all is well and while something is missing. That a daemon has ended is told at once. */
const watchIntervalMs = { well: 1000, missing: 250 } as const;
/** Longest path of a unix socket, less the names that Open vSwitch makes below the directory. */
const maxDirectoryBytes = 80;

interface Connection {
  readonly client: OvsdbClient;
  readonly vswitchd: VswitchdClient;
  readonly mirror: OvsdbMirror;
  /** Resolves when one of the daemons has gone. */
  readonly ended: Promise<void>;
}

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
  readonly #restarts = new Set<(restart: SwitchRestart) => void>();
  readonly #queue = new KeyedQueue(1024);
  readonly #closing = new AbortController();
  #connection: Connection | undefined;
  #health = new DatapathHealth();
  #failure = "";
  #watching: Promise<unknown> = Promise.resolve();

  private constructor(options: SwitchOptions, directory: string, datapath: Datapath) {
    this.netns = options.netns;
    this.agentUid = options.agentUid;
    this.datapath = datapath;
    this.#log = options.log;
    this.#directory = directory;
    const { netns, holdsBack = false, log } = options;
    this.#daemons = new OvsDaemons({ directory, netns, holdsBack, log });
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
    const isOurs = await ensureNetns(options.netns, { agentUid: options.agentUid, signal: options.signal });
    if (isOurs) keepQuiet(options);
    const opened = new Switch(options, directory, await detectDatapath());
    options.signal.throwIfAborted();
    const going = opened.#keepGoing();
    try {
      await opened.#connect();
    } catch (error) {
      opened.#closing.abort();
      throw error;
    }
    opened.#watching = Promise.all([going, opened.#watch()]);
    return opened;
  }

  /** Directory of its sockets. */
  get directory(): string {
    return this.#directory;
  }

  /** Why the switch does not work now, for people; empty when it does. */
  get failure(): string {
    return this.#failure;
  }

  /** Why a bridge of ours does not carry frames, for people; empty when it does. Read from the datapath, not from the database. */
  faultOfBridge(name: string): string {
    return this.#health.faultOfBridge(name);
  }

  /** Why nothing of it can be changed now though it forwards, for people; empty when it can. */
  get faultOfDatabase(): string {
    return this.#health.faultOfDatabase;
  }

  /** The same of a port. */
  faultOfPort(name: string): string {
    return this.#health.faultOfPort(name);
  }

  /** How a device stands in its bond; undefined: it is in none. */
  bondOf(name: string): ReturnType<DatapathHealth["bondOf"]> {
    return this.#health.bondOf(name);
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
      const connection = this.#connected();
      const operations = build(connection.mirror);
      if (operations.length === 0) return [];
      const { results, wanted } = await commit(connection, operations);
      await applied(connection.mirror, wanted);
      // Applied is not made: what came of it stands in the datapath only.
      await this.#look(connection);
      return results;
    });
  }

  /** It was started, and forwards nothing until {@link letPass}. */
  get isHoldingBack(): boolean {
    return this.#connection !== undefined && holdsFrames(this.#connection.mirror.root().columns["other_config"]);
  }

  /** Has it forward, if it does not. Idempotent. @throws {ZorError} UNAVAILABLE */
  async letPass(): Promise<void> {
    await this.change(() => (this.isHoldingBack ? [letPass()] : []));
  }

  /** Calls back after every change of the database, also of counters. Returns the way to stop. */
  onChange(listener: (change: MirrorChange) => void): () => void {
    this.#changes.add(listener);
    return () => this.#changes.delete(listener);
  }

  /** Calls back when daemons run again that had ended or were stopped. Returns the way to stop. */
  onRestart(listener: (restart: SwitchRestart) => void): () => void {
    this.#restarts.add(listener);
    return () => this.#restarts.delete(listener);
  }

  /** Has the switch send a frame out of one port of a bridge of ours (OpenFlow's packet-out). @throws {ToolError} */
  async sendFrame(bridge: string, openflowPort: number, frame: Buffer): Promise<void> {
    const order = `in_port=LOCAL packet=${frame.toString("hex")} actions=output:${openflowPort}`;
    await run("ovs-ofctl", ["packet-out", `unix:${join(this.#directory, `${bridge}.mgmt`)}`, order]);
  }

  /** Whether the datapath of a bridge of ours tracks connections. @throws {ZorError} UNAVAILABLE */
  async knowsConnections(bridge: string): Promise<boolean> {
    return await this.#connected().vswitchd.knowsConnections(bridge);
  }

  /** Resolves when frames go as the last change says: until its flows are made anew, the datapath goes by those it has. */
  async revalidated(): Promise<void> {
    await this.#queue
      .run("revalidate", () => this.#connected().vswitchd.purgeFlows())
      .catch((error: unknown) => {
        this.#log.warn({ err: error }, "the switch did not drop its flows; some frames may go by the settings before");
      });
  }

  /** The addresses that a bridge has learned, in ovs-vswitchd's words. @throws {ZorError} UNAVAILABLE */
  async learned(bridge: string): Promise<string> {
    return this.#connected().vswitchd.learned(bridge);
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
    await this.#watching;
    this.#connection?.client.close();
    this.#connection?.vswitchd.close();
  }

  /** Removes everything: daemons, bridges, database, and the namespace if we made it. */
  async destroy(): Promise<void> {
    const mirror = this.#connection?.mirror;
    const names = ([table, prefix]: readonly ["Bridge" | "Port", string]): string[] =>
      (mirror?.list(table) ?? [])
        .map(({ columns }) => String(findScalar(columns["name"]) ?? ""))
        .filter((name) => name.startsWith(prefix));
    const devices = [...names(["Bridge", ""]), ...names(["Port", testPortPrefix])];
    await this.close();
    await this.#daemons.stop();
    await this.#removeDevices(["ovs-netdev", ...devices]);
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

  /** Daemons that were stopped go on, also while they are connected to: those that do not answer are replaced. */
  async #keepGoing(): Promise<void> {
    const onContinued = ({ name, sinceMs }: Continued) =>
      this.#runAgain({ daemons: [name], sinceMs, how: "continued" });
    const find = () => this.#daemons.recorded();
    await keepGoing({ find, onContinued, log: this.#log, signal: this.#closing.signal });
  }

  #runAgain(restart: SwitchRestart): void {
    for (const listener of this.#restarts) listener(restart);
  }

  #connected(): Connection {
    if (this.#connection !== undefined) return this.#connection;
    throw unavailable(
      "SWITCH_UNAVAILABLE",
      "",
      `the switch does not run (${this.#failure}); the agent starts it again by itself`,
    );
  }

  /** Resolves to the daemons that had to be started. */
  async #connect(): Promise<readonly string[]> {
    const { client, vswitchd, started } = await this.#daemons.ensure();
    try {
      const mirror = await OvsdbMirror.start(client);
      mirror.onChange((change) => this.#notify(change));
      const ended = Promise.race([client.closed, vswitchd.closed]);
      const connection = { client, vswitchd, mirror, ended };
      this.#health = new DatapathHealth();
      if (started.length > 0) await this.#settle(connection);
      await this.#look(connection);
      this.#failure = "";
      this.#connection = connection;
      void ended.then(() => this.#lost(connection));
    } catch (error) {
      client.close();
      vswitchd.close();
      throw error;
    }
    return started;
  }

  /** Has a daemon that was started say when it has made what the database holds: what it says of ports before is of its predecessor. */
  async #settle(connection: Connection): Promise<void> {
    const { mirror } = connection;
    const { wanted } = await commit(connection, []);
    await applied(mirror, wanted).catch((error: unknown) => {
      this.#log.warn({ err: error }, "the switch was started again and is slow to make its bridges");
    });
  }

  #lost(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#failure = "a daemon of it has ended";
    connection.client.close();
    connection.vswitchd.close();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const intervalMs = this.#health.isWhole ? watchIntervalMs.well : watchIntervalMs.missing;
      const ended = this.#connection?.ended ?? Promise.resolve();
      await Promise.race([delay(intervalMs, undefined, { signal }).catch(() => undefined), ended]);
      if (signal.aborted) return;
      try {
        if (findDevice(this.netns, "lo") === undefined) await this.#giveNameBack();
        if (this.#connection !== undefined) await this.#lookAfter(this.#connection);
        else await this.#restart();
      } catch (error) {
        this.#failure = toldOf(error);
        this.#log.error({ err: error }, "the switch could not be started again");
        this.#notify("structure");
        await delay(watchIntervalMs.well, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #giveNameBack(): Promise<void> {
    const isBack = await giveNameBack(this.netns, { agentUid: this.agentUid, signal: this.#closing.signal });
    if (isBack)
      this.#log.warn({ netns: this.netns }, "the name of the lans' net namespace was removed, and is given back");
  }

  async #restart(): Promise<void> {
    this.#log.warn("a daemon of the switch has ended; it is started again");
    this.#notify("structure");
    const sinceMs = performance.now();
    const daemons = await this.#connect();
    if (daemons.length > 0) this.#runAgain({ daemons, sinceMs, how: "restarted" });
    this.#notify("structure");
  }

  /** Looks at the datapath and has ovs-vswitchd try again what it could not make. */
  async #lookAfter(connection: Connection): Promise<void> {
    const wasWhole = this.#health.isWhole;
    await this.#look(connection);
    // The sockets of ports that were made only now are new.
    if (!wasWhole && this.#health.isWhole) await this.growPacketBuffers();
    if (this.#health.isLost) return this.#lost(connection);
    if (!this.#health.takeRetry(performance.now())) return;
    this.#log.warn("the switch could not make all of its bridges and ports; it is told to try again");
    await commit(connection, []);
  }

  async #look({ client, vswitchd, mirror }: Connection): Promise<void> {
    const changed = await this.#health.look({
      vswitchd,
      database: client,
      mirror,
      isOurs: (row) => isOwned(row, this.agentUid),
      readLog: () => this.#daemons.readLog(),
    });
    if (changed) this.#notify("structure");
  }

  #notify(change: MirrorChange): void {
    for (const listener of this.#changes) listener(change);
  }
}
