import { closeSync, openSync } from "node:fs";
import { run } from "../../../agent/host/exec.js";
import { enterNetNamespace } from "../../../lib/net/socket-calls.js";
import { makeNetns, type TestNetns } from "../netns.js";

const network = "10.77.0";

/** A bridge in a net namespace of the test's own, to which hosts are cabled. Nothing of it is in the machine's own namespace. */
export class LabNetwork implements AsyncDisposable {
  /** The test's own address in it, once it {@link enter}s. */
  readonly address = `${network}.1`;
  readonly #bridge: TestNetns;
  #cables = 0;
  #home: number | undefined;

  private constructor(bridge: TestNetns) {
    this.#bridge = bridge;
  }

  static async make(): Promise<LabNetwork> {
    const bridge = await makeNetns("lab");
    const lab = new LabNetwork(bridge);
    try {
      await bridge.ip("link", "add", "br0", "type", "bridge");
      await bridge.ip("address", "add", `${lab.address}/24`, "dev", "br0");
      await bridge.ip("link", "set", "br0", "up");
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  /** Name of the bridge's net namespace. */
  get netns(): string {
    return this.#bridge.name;
  }

  /** Cables a namespace to the bridge: its interface is eth0. Returns its address. */
  async plug(host: TestNetns): Promise<string> {
    const place = ++this.#cables;
    const [port, address] = [`port${place}`, `${network}.${10 + place}`];
    await this.#bridge.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host.name);
    await this.#bridge.ip("link", "set", port, "master", "br0", "up");
    await host.ip("address", "add", `${address}/24`, "dev", "eth0");
    await host.ip("link", "set", "eth0", "up");
    return address;
  }

  /** Pulls a host's cable, or puts it back. */
  async setCable(address: string, isUp: boolean): Promise<void> {
    await this.#bridge.ip("link", "set", `port${Number(address.split(".")[3]) - 10}`, isUp ? "up" : "down");
  }

  /** A host reaches others no more that are isolated as well; everybody else as before. */
  async isolate(address: string): Promise<void> {
    const port = `port${Number(address.split(".")[3]) - 10}`;
    await run("bridge", ["link", "set", "dev", port, "isolated", "on"], { netns: this.netns });
  }

  /**
   * Takes the test's process into the network, as a machine at the bridge: sockets that it opens, and programs that it starts, are there
   * until {@link leave}.
   */
  enter(): void {
    if (this.#home !== undefined) return;
    this.#home = openSync("/proc/thread-self/ns/net", "r");
    const there = openSync(`/run/netns/${this.netns}`, "r");
    enterNetNamespace(there);
    closeSync(there);
  }

  /** Idempotent. */
  leave(): void {
    if (this.#home === undefined) return;
    enterNetNamespace(this.#home);
    closeSync(this.#home);
    this.#home = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.leave();
    await this.#bridge[Symbol.asyncDispose]();
  }
}
