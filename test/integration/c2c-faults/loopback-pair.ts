import { randomBytes, randomUUID } from "node:crypto";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { LoopbackHost } from "../c2c/loopback-host.js";
import { endSpec, type EndWords, readEnd, type ReadEnd } from "../../helpers/engine-words.js";

/** Two hosts whose data ports are on loopback, so that a test can be a third one, and links between them. */
export class LoopbackPair implements AsyncDisposable {
  private constructor(
    readonly a: LoopbackHost,
    readonly b: LoopbackHost,
  ) {}

  static async make(): Promise<LoopbackPair> {
    const a = await LoopbackHost.make();
    try {
      return new LoopbackPair(a, await LoopbackHost.make());
    } catch (error) {
      await a[Symbol.asyncDispose]();
      throw error;
    }
  }

  get hosts(): readonly [LoopbackHost, LoopbackHost] {
    return [this.a, this.b];
  }

  /** Makes a link, a listening and b dialling; returns its uid. */
  async addLink(link: string): Promise<string> {
    const linkUid = randomUUID();
    const ticket = randomBytes(32).toString("hex");
    const common = { link, linkUid, lan: "lan1", ticket, ticketTtlSeconds: 600 };
    const [keyA, keyB] = this.hosts.map((host) => host.cables.identity().keySha256.toString("hex"));
    const listener: EndWords = { ...common, role: "listener", peerAddresses: [], peerKeySha256: keyB ?? "" };
    await this.a.cables.ensureEnd(endSpec(listener));
    await this.b.cables.ensureEnd(
      endSpec({
        ...common,
        role: "dialer",
        peerAddresses: [this.a.address],
        peerKeySha256: keyA ?? "",
      }),
    );
    return linkUid;
  }

  async deleteLink(link: string, linkUid: string): Promise<void> {
    for (const host of this.hosts) await host.cables.deleteEnd(link, linkUid);
  }

  /** Waits until both ends of a link are active. */
  async active(link: string): Promise<void> {
    for (const host of this.hosts) {
      await eventually(() => {
        const { phase, reason } = endOf(host, link);
        if (phase !== "active") throw new Error(`${link} is ${phase}: ${reason}`);
      });
    }
  }

  /** Gives the taps of a link addresses, 10.203.{subnet}.1 and .2. */
  async address(link: string, subnet: number): Promise<void> {
    for (const [index, host] of this.hosts.entries()) {
      await host.lan.ip("addr", "add", `10.203.${subnet}.${index + 1}/24`, "dev", endOf(host, link).tap.name);
    }
  }

  /** Pings from a to b through the link that was given this subnet. */
  async ping(subnet: number): Promise<void> {
    await run("ping", ["-n", "-c", "3", "-i", "0.05", "-W", "2", `10.203.${subnet}.2`], { netns: this.a.lan.name });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.hosts) await host[Symbol.asyncDispose]();
  }
}

/** The end of a link at a host. */
export function endOf(host: LoopbackHost, link: string): ReadEnd {
  const end = host.cables.list().find(({ status }) => status.link === link);
  if (end === undefined) throw new Error(`the host has no end of ${link}`);
  return readEnd(end);
}
