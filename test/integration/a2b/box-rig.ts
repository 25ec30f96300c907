import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, startDaemon } from "../../../agent/host/exec.js";
import { ControlClient } from "../../../agent/engine/protocol/control-client.js";
import {
  type BoxCalls,
  type BoxesEvent,
  boxProtocol,
  boxSocket,
  type BoxView,
} from "../../../agent/engine/protocol/box-protocol.js";
import type { ImpairmentSettings } from "../../../agent/engine/impair/settings.js";
import type { Step } from "../../../agent/engine/impair/schedule.js";
import { ensureCableIdentity } from "../../../agent/cable/ensure-cable-identity.js";
import { endProcess, findIdentity, type ProcessIdentity } from "../../../lib/process.js";
import { nodePath, programPath } from "../../../lib/program.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { pingAtOnce, pingEvery } from "../../helpers/pings.js";
import { boxSpec, readBox, type ReadBox } from "../../helpers/engine-words.js";
import { killed } from "../../helpers/killed.js";

/** What a test sets. */
export interface RigSettings {
  readonly aToB?: Partial<ImpairmentSettings>;
  readonly bToA?: Partial<ImpairmentSettings>;
  readonly steps?: readonly Step[];
  readonly seed?: bigint;
}

/** Addresses at the two sides of the box. */
export const address = { a: "10.77.0.1", b: "10.77.0.2" } as const;

/** A real engine with one box, without switch: each side's tap is the interface of a namespace. */
export class BoxRig {
  readonly #uid: string = randomUUID();
  readonly #views = new Map<string, BoxView>();
  #client: ControlClient<BoxCalls, BoxesEvent> | undefined;
  #engine: ProcessIdentity | undefined;

  private constructor(
    readonly a: TestNetns,
    readonly b: TestNetns,
    readonly directory: string,
  ) {}

  /** Starts the engine and the box and waits until both sides can speak. */
  static async make(settings: RigSettings = {}): Promise<BoxRig> {
    const directory = await mkdtemp(join(tmpdir(), "zt-a2b-"));
    const rig = new BoxRig(await makeNetns("ba"), await makeNetns("bb"), directory);
    try {
      // The only frames are those a test sends.
      for (const { name } of [rig.a, rig.b]) {
        await run("sysctl", ["-q", "net.ipv6.conf.default.disable_ipv6=1"], { netns: name });
      }
      await ensureCableIdentity(directory, () => undefined);
      await rig.startEngine();
      await rig.set(settings);
      await rig.plug();
      return rig;
    } catch (error) {
      await rig[Symbol.asyncDispose]();
      throw error;
    }
  }

  get enginePid(): number {
    return this.#engine?.pid ?? 0;
  }

  get client(): ControlClient<BoxCalls, BoxesEvent> {
    if (this.#client === undefined) throw new Error("the engine does not run");
    return this.#client;
  }

  async startEngine(): Promise<void> {
    const argv = [programPath("cable-engine"), "--directory", this.directory, "--listen", "127.0.0.1:0"];
    const logFile = join(this.directory, "engine.log");
    const pid = await startDaemon(nodePath, [...argv, "--netns", this.a.name], { logFile, netns: undefined });
    this.#engine = await findIdentity(pid);
    this.#client = await eventually(async () => {
      const client = await ControlClient.connect(join(this.directory, boxSocket), boxProtocol, (event) =>
        this.#onBoxes(event),
      );
      if (client === undefined) throw new Error("the engine does not listen yet");
      return client;
    });
    await this.#client.watch();
  }

  /** Ends the engine as a crash does. */
  async killEngine(): Promise<void> {
    await killed(this.enginePid);
    await this.client.closed;
    this.#views.clear();
  }

  /** Sets the box anew. */
  async set({ aToB = {}, bToA = {}, steps = [], seed = 1n }: RigSettings): Promise<void> {
    const spec = boxSpec({
      box: "hosts/zt/a2bs/box",
      uid: this.#uid,
      lans: ["lan1", "lan2"],
      ...{ aToB, bToA, steps, seed },
      revision: randomUUID(),
    });
    await this.client.ask("ensureBox", { spec });
  }

  /** Gives the taps addresses, side b's in a namespace of its own. */
  async plug(): Promise<void> {
    const { generation, sides } = await eventually(() => {
      const view = this.view();
      if (!view.ready) throw new Error(view.reason);
      return view;
    });
    await this.a.ip("link", "set", sides[1].port, "netns", this.b.name);
    for (const [netns, side, ip] of [
      [this.a, sides[0], address.a],
      [this.b, sides[1], address.b],
    ] as const) {
      await netns.ip("addr", "add", `${ip}/24`, "dev", side.port);
      await netns.ip("link", "set", side.port, "txqueuelen", "2048", "up");
    }
    for (const { port } of sides) {
      await this.client.ask("setPort", { uid: this.#uid, port, generation, fault: "" });
    }
    await eventually(() => {
      if (!this.view().active) throw new Error(this.view().reason);
    });
  }

  async delete(): Promise<void> {
    await this.client.ask("deleteBox", { uid: this.#uid });
  }

  get exists(): boolean {
    return this.#views.has(this.#uid);
  }

  view(): ReadBox {
    const view = this.#views.get(this.#uid);
    if (view === undefined) throw new Error("the engine knows no box");
    return readBox(view);
  }

  /** Round trips in milliseconds from a to b, one for each answer. */
  async ping(options: { readonly count: number; readonly intervalMs?: number }): Promise<number[]> {
    const { count, intervalMs } = options;
    const pings = { netns: this.a.name, address: address.b, count };
    return [...(await (intervalMs === undefined ? pingAtOnce(pings) : pingEvery(intervalMs, pings))).values()];
  }

  /** Sequence numbers of the pings that came back. */
  async answered(count: number): Promise<number[]> {
    return [...(await pingAtOnce({ netns: this.a.name, address: address.b, count })).keys()];
  }

  /** From now on nobody asks for addresses. */
  async fixNeighbours(): Promise<void> {
    const [a, b] = this.view().sides.map(({ port }) => port);
    for (const [netns, device, other, otherNetns, ip] of [
      [this.a, a, b, this.b, address.b],
      [this.b, b, a, this.a, address.a],
    ] as const) {
      const { stdout } = await run("cat", [`/sys/class/net/${other}/address`], { netns: otherNetns.name });
      await netns.ip("neigh", "replace", ip, "lladdr", stdout.trim(), "dev", device ?? "");
    }
  }

  /** Copies so many random bytes from a to b over TCP and resolves to the SHA-256 of what was sent and of what came. */
  async copy(bytes: number): Promise<{ readonly sent: string; readonly received: string }> {
    const file = join(this.directory, "copied");
    await run("bash", ["-c", `head -c ${bytes} /dev/urandom > ${file}`]);
    const listener = `require("net").createServer(s => { const h = require("crypto").createHash("sha256"); s.on("data", d => h.update(d)); s.on("end", () => { console.log(h.digest("hex")); process.exit(0); }); }).listen(5001, () => console.error("listening"));`;
    const received = run(nodePath, ["-e", listener], { netns: this.b.name, timeoutMs: 60_000 });
    const sender = `const connect = () => require("net").connect(5001, "${address.b}").on("error", () => setTimeout(connect, 50)).on("connect", function () { require("fs").createReadStream("${file}").pipe(this); }); connect();`;
    await run(nodePath, ["-e", sender], { netns: this.a.name, timeoutMs: 60_000 });
    const { stdout: sums } = await run("sha256sum", [file]);
    return { sent: sums.split(" ")[0] ?? "", received: (await received).stdout.trim() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    if (this.#engine !== undefined) await endProcess(this.#engine, 5_000);
    await this.a[Symbol.asyncDispose]();
    await this.b[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }

  #onBoxes(event: BoxesEvent): void {
    if (event.snapshot) this.#views.clear();
    for (const view of event.boxes) this.#views.set(view.spec.uid, view);
    for (const uid of event.removed) this.#views.delete(uid);
  }
}
