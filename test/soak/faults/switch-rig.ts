import { expect } from "vitest";
import { run } from "../../../agent/host/exec.js";
import type { FlowBuild } from "../../../agent/network/flows/flow-set.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { PingStream } from "../../helpers/ping-stream.js";
import { NetworkFixture, ping } from "../../integration/network/fixture.js";

export const lan1 = { id: "lan1", uid: "u-faults", mtu: 1500, rstp: false };
const [guarded, hidden] = ["10.77.0.1", "10.77.0.2"] as const;
/** Whom the guest pings. */
export const peer = "10.77.0.4";
export const guests = ["aaa", "bbb", "ccc", "ddd"] as const;
export const addressOf = (uid: (typeof guests)[number]): string => `10.77.0.${guests.indexOf(uid) + 1}/24`;
export const endpointOf = (uid: string): string => `hosts/t/instances/${uid}/nics/eth0`;

/** Nothing that one guest sends by ICMP may pass. */
export const guard: FlowBuild = (ports) => ({
  flows: ports
    .filter(({ endpoint }) => endpoint === endpointOf("aaa"))
    .map(({ number }) => `table=0,priority=50,icmp,in_port=${number},actions=drop`),
});

/** A switch as an agent has it, with two guests that ping each other, and one whose pings a flow keeps from another for all of the time. */
export class SwitchRig implements AsyncDisposable {
  readonly net: NetworkFixture;
  /** Net namespace of the guest that pings {@link peer}, and its port. */
  readonly guest: string;
  readonly port: string;
  readonly #receiver: string;
  readonly #pinging: ReturnType<typeof spawnOwned>;
  readonly #healed: string[] = [];

  private constructor(parts: { net: NetworkFixture; guest: string; port: string; sender: string; receiver: string }) {
    this.net = parts.net;
    this.guest = parts.guest;
    this.port = parts.port;
    this.#receiver = parts.receiver;
    const ping = ["ping", "-n", "-q", "-i", "0.01", hidden];
    this.#pinging = spawnOwned("ip", ["netns", "exec", parts.sender, ...ping], { stdio: "ignore" });
    this.listen();
  }

  static async open(): Promise<SwitchRig> {
    await using undo = new AsyncDisposableStack();
    const net = await NetworkFixture.open({ holdsBack: true });
    undo.defer(() => net.destroy());
    await net.lans.ensureLan(lan1);
    await net.lans.flows.set("lan1", "port", guard);
    const sender = (await net.plugContainer("aaa", "lan1", `${guarded}/24`)).netns;
    const receiver = (await net.plugContainer("bbb", "lan1", `${hidden}/24`)).netns;
    const { netns: guest, port } = await net.plugContainer("ccc", "lan1", addressOf("ccc"));
    await net.plugContainer("ddd", "lan1", addressOf("ddd"));
    await net.lans.flows.settle();
    await ping(guest, peer);
    undo.move();
    return new SwitchRig({ net, guest, port, sender, receiver });
  }

  /** Hears what is put right by itself; again after the lans were opened anew. */
  listen(): void {
    this.net.lans.onHealed(({ lan, what }) => this.#healed.push(`${lan} ${what}`));
  }

  /** How many pings came through the guard since the beginning. */
  async leaked(): Promise<number> {
    const { stdout } = await run("cat", ["/proc/net/snmp"], { netns: this.#receiver });
    const [names = [], values = []] = [...stdout.matchAll(/^Icmp: (.*)$/gm)].map(([, text = ""]) => text.split(" "));
    return Number(values[names.indexOf("InEchos")]);
  }

  async pidOf(name: string): Promise<number> {
    const pid = (await this.net.sw.processes())[name]?.pid;
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }

  async allWell(): Promise<void> {
    await eventually(() => expect(this.net.lans.list().map(({ reason }) => reason)).toEqual([""]), 90_000);
  }

  /** Breaks something, waits until that is told and all is well, and prints how long guests missed each other. Nothing passed the guard. */
  async survives(what: string, act: () => Promise<void>, pattern: RegExp): Promise<void> {
    await this.allWell();
    this.#healed.length = 0;
    await using pings = await PingStream.start(this.guest, peer);
    await act();
    await eventually(() => expect(this.#healed.join("\n")).toMatch(pattern), 90_000);
    await this.allWell();
    console.log(`${what}: guests missed each other for ${Math.round(await pings.longestGapMs())} ms`);
    expect(await this.leaked()).toBe(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pinging.kill("SIGKILL");
    await this.net.destroy();
  }
}
