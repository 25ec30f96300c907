import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { unavailable } from "../../../lib/errors.js";
import { exists, readIfExists, setAside, writeFileAtomic } from "../../../lib/files.js";
import type { Log } from "../../../lib/log.js";
import {
  endProcess,
  findIdentity,
  findProcesses,
  isAlive,
  type ProcessIdentity,
  parseIdentity,
  readArguments,
  waitForExit,
} from "../../../lib/process.js";
import { run, startDaemon } from "../../host/exec.js";
import { holdKey } from "./hold-back.js";
import { OvsdbClient } from "./ovsdb-client.js";
import { toMapValue, toSetValue } from "./ovsdb-values.js";
import { VswitchdClient } from "./vswitchd-client.js";

const schemaFile = "/usr/share/openvswitch/vswitch.ovsschema";
/** Generous: both answer within milliseconds, unless the machine is far overcommitted. */
const startTimeoutMs = 15_000;
/** How long a killed daemon may take to let go of its devices and files before another is started all the same. */
const tearDownMs = 10_000;
/** How much of the end of a log is looked at, and how long it may become. */
const logTailBytes = 64 * 1024;
const logMaxBytes = 4 * 1024 * 1024;

type DaemonName = "ovsdb-server" | "ovs-vswitchd";

/** Where the daemons of one switch are. */
export interface DaemonsOptions {
  /** Directory for database, sockets, pids and logs; exists with mode 0700. */
  readonly directory: string;
  readonly netns: string;
  /** An ovs-vswitchd that is started forwards nothing until it is told to, see hold-back.ts. */
  readonly holdsBack: boolean;
  readonly log: Log;
}

/** That daemons run again. */
export interface SwitchRestart {
  readonly daemons: readonly string[];
  /** When it was seen that they had ended, or were stopped, by performance.now(). */
  readonly sinceMs: number;
  /** They had ended and were started again, or had been stopped by a signal and go on as they were. */
  readonly how: "restarted" | "continued";
}

/** The two Open vSwitch daemons of an agent. They run in their own sessions and outlive it. */
export class OvsDaemons {
  readonly #options: DaemonsOptions;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(options: DaemonsOptions) {
    this.#options = options;
    const { directory } = options;
    this.#environment = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
  }

  /** Socket of the database. */
  get socketPath(): string {
    return join(this.#options.directory, "db.sock");
  }

  /**
   * Sees to it that both run and answer, and connects to them. What runs is used as it is; what does not is started.
   * @returns connections, and the daemons that had to be started.
   */
  async ensure(): Promise<{ client: OvsdbClient; vswitchd: VswitchdClient; started: readonly DaemonName[] }> {
    const started: DaemonName[] = [];
    const server = await this.#ensureServer();
    if (server !== "ran") started.push("ovsdb-server");
    const client = await OvsdbClient.connect(this.socketPath);
    try {
      if (await this.#ensureVswitchd(client, server === "empty")) started.push("ovs-vswitchd");
      return { client, vswitchd: await VswitchdClient.connect(this.#controlPath("ovs-vswitchd")), started };
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** The end of what ovs-vswitchd has said; empty when it has said nothing. A log that has become too long is begun anew. */
  async readLog(): Promise<string> {
    const file = await open(join(this.#options.directory, "ovs-vswitchd.log"), "r+").catch(() => undefined);
    if (file === undefined) return "";
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read({
        buffer: Buffer.alloc(Math.min(size, logTailBytes)),
        position: Math.max(0, size - logTailBytes),
      });
      // The daemon appends, and goes on at the beginning.
      if (size > logMaxBytes) await file.truncate();
      return buffer.toString("utf8", 0, bytesRead);
    } finally {
      await file.close();
    }
  }

  /** The daemons that run, by name. */
  async find(): Promise<Readonly<Partial<Record<DaemonName, ProcessIdentity>>>> {
    const [server, vswitchd] = await Promise.all([this.#find("ovsdb-server"), this.#find("ovs-vswitchd")]);
    return {
      ...(server === undefined ? {} : { "ovsdb-server": server }),
      ...(vswitchd === undefined ? {} : { "ovs-vswitchd": vswitchd }),
    };
  }

  /** Those of them whose records are there: cheap, for polling. */
  async recorded(): Promise<Readonly<Record<string, ProcessIdentity>>> {
    const found: Record<string, ProcessIdentity> = {};
    for (const name of ["ovsdb-server", "ovs-vswitchd"] as const) {
      const identity = parseIdentity(await readIfExists(this.#recordPath(name)));
      const argv = identity === undefined ? [] : await readArguments(identity.pid);
      if (identity !== undefined && argv.includes(this.#controlOption(name))) found[name] = identity;
    }
    return found;
  }

  /** Ends both, and with them every bridge. */
  async stop(): Promise<void> {
    const running = await this.find();
    const vswitchd = running["ovs-vswitchd"];
    if (vswitchd !== undefined) {
      // "exit --cleanup" also removes datapaths and their devices; a daemon that does not answer is ended without.
      await this.#control("ovs-vswitchd", ["exit", "--cleanup"]).catch(() => undefined);
      await endProcess(vswitchd, 5000);
    }
    const server = running["ovsdb-server"];
    if (server !== undefined) await endProcess(server, 5000);
  }

  /** "empty": it was started with a new database. */
  async #ensureServer(): Promise<"ran" | "started" | "empty"> {
    const running = await this.#find("ovsdb-server");
    if (running !== undefined) {
      if (await answers(this.socketPath)) return "ran";
      this.#options.log.warn({ pid: running.pid }, "ovsdb-server runs but does not answer; it is started again");
      await endProcess(running, 2000);
    }
    const database = join(this.#options.directory, "conf.db");
    const isNew = !(await exists(database));
    if (isNew) await run("ovsdb-tool", ["create", database, schemaFile]);
    try {
      await this.#startServer(database);
      return isNew ? "empty" : "started";
    } catch (error) {
      // It may have failed for a reason of its own: only a file that the offline tool cannot read either is damaged.
      if (await isReadable(database)) throw error;
      const aside = await setAside(database, new Date());
      this.#options.log.error({ err: error, aside }, "the switch's database is damaged; it is set aside and made anew");
      await run("ovsdb-tool", ["create", database, schemaFile]);
      await this.#startServer(database);
      return "empty";
    }
  }

  async #startServer(database: string): Promise<void> {
    await this.#start("ovsdb-server", [database, `--remote=punix:${this.socketPath}`], async () =>
      answers(this.socketPath),
    );
  }

  async #ensureVswitchd(client: OvsdbClient, isEmpty: boolean): Promise<boolean> {
    const ready = () =>
      this.#control("ovs-vswitchd", ["version"]).then(
        () => true,
        () => false,
      );
    // Unless told so, it sees one VLAN tag of a frame only: ports of mode QinQ need two.
    const held = this.#options.holdsBack ? { [holdKey]: "true" } : {};
    // One that runs removes its bridges when it sees that a new database has none, and begins anew.
    await setOtherConfig(client, { "vlan-limit": "0", ...(isEmpty ? held : {}) });
    const running = await this.#find("ovs-vswitchd");
    if (running !== undefined) {
      if (await ready()) return false;
      this.#options.log.warn({ pid: running.pid }, "ovs-vswitchd runs but does not answer; it is started again");
      await endProcess(running, 2000);
    }
    // Read by vswitchd only when it starts. Without it every frame is cut to 1500 bytes: 1.2 instead of 13 Gbit/s.
    await setOtherConfig(client, { "userspace-tso-enable": "true", ...held });
    await this.#start("ovs-vswitchd", [`unix:${this.socketPath}`], ready);
    return true;
  }

  async #start(name: DaemonName, argv: readonly string[], ready: () => Promise<boolean>): Promise<void> {
    const { directory, netns } = this.#options;
    const pid = await startDaemon(
      name,
      [...argv, this.#controlOption(name), "-vconsole:warn", "-vsyslog:off", "-vfile:off"],
      { netns, env: this.#environment, cwd: "/", logFile: join(directory, `${name}.log`) },
    );
    const identity = await findIdentity(pid);
    if (identity !== undefined) await writeFileAtomic(this.#recordPath(name), JSON.stringify(identity));
    const deadline = performance.now() + startTimeoutMs;
    while (!(await ready())) {
      const ended = identity === undefined || !(await isAlive(identity));
      if (!ended && performance.now() < deadline) {
        await delay(20);
        continue;
      }
      if (!ended) await endProcess(identity, 1000);
      const tail = ((await readIfExists(join(directory, `${name}.log`))) ?? "").trim().split("\n").at(-1) ?? "";
      throw unavailable("SWITCH_UNAVAILABLE", "", `${name} ${ended ? "ended at once" : "does not answer"}: ${tail}`);
    }
  }

  /** By the record of pid and start time, or, when that is lost, by the control socket it was told to use. */
  async #find(name: DaemonName): Promise<ProcessIdentity | undefined> {
    const control = this.#controlOption(name);
    const recorded = parseIdentity(await readIfExists(this.#recordPath(name)));
    if (recorded !== undefined && (await isAlive(recorded))) {
      const argv = await readArguments(recorded.pid);
      if (argv.includes(control)) return recorded;
      // The kernel takes the memory of a killed process, and with it its arguments, before its devices and files.
      if (argv.length === 0) await waitForExit(recorded, tearDownMs);
    }
    const [found] = await findProcesses((argv) => argv[0] === name && argv.includes(control));
    if (found !== undefined) await writeFileAtomic(this.#recordPath(name), JSON.stringify(found));
    return found;
  }

  async #control(name: DaemonName, argv: readonly string[]): Promise<void> {
    await run("ovs-appctl", ["-t", this.#controlPath(name), "-T", "5", ...argv], {
      env: this.#environment,
    });
  }

  #controlOption(name: DaemonName): string {
    return `--unixctl=${this.#controlPath(name)}`;
  }

  #controlPath(name: DaemonName): string {
    return join(this.#options.directory, `${name}.ctl`);
  }

  #recordPath(name: DaemonName): string {
    return join(this.#options.directory, `${name}.json`);
  }
}

async function setOtherConfig(client: OvsdbClient, settings: Readonly<Record<string, string>>): Promise<void> {
  const table = "Open_vSwitch";
  const [roots] = await client.transact([{ op: "select", table, where: [], columns: ["_uuid"] }]);
  const value = toMapValue(settings);
  await client.transact([
    roots?.rows?.length === 0
      ? { op: "insert", table, row: { other_config: value } }
      : {
          ...{ op: "mutate", table, where: [] },
          // What is there already an insertion leaves as it is.
          mutations: [
            ["other_config", "delete", toSetValue(Object.keys(settings))],
            ["other_config", "insert", value],
          ],
        },
  ]);
}

async function isReadable(database: string): Promise<boolean> {
  const query = JSON.stringify(["Open_vSwitch", { op: "select", table: "Open_vSwitch", where: [] }]);
  return run("ovsdb-tool", ["query", database, query]).then(
    () => true,
    () => false,
  );
}

async function answers(socketPath: string): Promise<boolean> {
  try {
    const client = await OvsdbClient.connect(socketPath, { timeoutMs: 5000 });
    try {
      await client.echo();
      return true;
    } finally {
      client.close();
    }
  } catch {
    return false;
  }
}
