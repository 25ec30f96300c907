import type { ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { Connection } from "../../../lib/grpc/connection.js";
import { nodePath, programPath } from "../../../lib/program.js";
import { loadIdentity } from "../../../lib/tls/identity.js";
import { hubServerName } from "../../../lib/tls/join.js";
import { eventually } from "../../helpers/eventually.js";
import { freePort } from "../../helpers/free-port.js";
import { spawnOwned } from "../../helpers/owned.js";

/** A hub in a process of its own. */
export class HubProcess implements AsyncDisposable {
  readonly state: string;
  #process: ChildProcess | undefined;
  #ports: { listen: string; join: string; reverse: string };

  readonly #flags: readonly string[];

  private constructor(
    state: string,
    ports: { listen: string; join: string; reverse: string },
    flags: readonly string[],
  ) {
    this.state = state;
    this.#ports = ports;
    this.#flags = flags;
  }

  static async start(more: readonly string[] = []): Promise<HubProcess> {
    // None that somebody else may be given while the hub is away.
    const free = async () => `127.0.0.1:${await freePort()}`;
    const ports = { listen: await free(), join: await free(), reverse: await free() };
    const hub = new HubProcess(await mkdtemp(join(tmpdir(), "zt-kill-")), ports, more);
    await hub.run();
    return hub;
  }

  /** Starts the process, after the first time on the same ports, and waits until it serves. */
  async run(): Promise<void> {
    const { listen, join: joinListen, reverse } = this.#ports;
    const relay = ["--relay-listen", "127.0.0.1:0"];
    const flags = ["--listen", listen, "--join-listen", joinListen, "--reverse-listen", reverse, ...relay];
    const child = spawnOwned(
      nodePath,
      [programPath("hub"), "hub", "run", "--state", this.state, ...flags, ...this.#flags],
      {
        stdio: ["ignore", "ignore", "ignore"],
      },
    );
    this.#process = child;
    await eventually(async () => expect((await this.#facts()).pid).toBe(child.pid));
    const facts = await this.#facts();
    this.#ports = {
      listen: facts.listen[0] ?? "",
      join: facts.joinListen[0] ?? "",
      reverse: facts.reverseListen[0] ?? "",
    };
  }

  /** "ip:port" of the API. */
  get address(): string {
    return this.#ports.listen;
  }

  /** "ip:port" at which tokens are taken. */
  get joinAddress(): string {
    return this.#ports.join;
  }

  /** Of the process that runs. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async connect(): Promise<Connection> {
    const identity = await loadIdentity(join(this.state, "admin"));
    return new Connection({ address: this.#ports.listen, identity, serverName: hubServerName });
  }

  /** Ends the process as a power cut would: no handler runs. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** Asks the process to end; resolves to its exit code. */
  async terminate(): Promise<number | null> {
    const child = this.#process;
    if (child === undefined) throw new Error("the hub does not run");
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    return ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.state, { recursive: true, force: true });
  }

  async #facts(): Promise<{ pid: number; listen: string[]; joinListen: string[]; reverseListen: string[] }> {
    const text = await readFile(join(this.state, "run.json"), "utf8").catch(() => "{}");
    return JSON.parse(text);
  }
}
