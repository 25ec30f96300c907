import { expect, onTestFinished } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { Forwarder } from "../../../agent/network/wires/forwarder.js";
import { NicPlugger } from "../../../agent/network/wires/nic-plugger.js";
import { Wires } from "../../../agent/network/wires/wires.js";
import { toDuration } from "../../../lib/duration.js";
import { createLog } from "../../../lib/log.js";
import { endSpec } from "../../helpers/engine-words.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { type TestHost, TwoHosts } from "./two-hosts.js";

const log = createLog("test", { write: () => undefined });
const noLans = {
  plug: () => Promise.reject(new Error("there are no lans")),
  unplug: async () => undefined,
  find: () => undefined,
  list: () => [],
  cross: () => Promise.reject(new Error("there are no lans")),
  onChange: () => () => undefined,
};

/** A guest whose NIC is what a link ends at. */
export class NicHost {
  readonly lan = "instances/r/nics/eth1";

  private constructor(
    readonly host: TestHost,
    readonly guest: TestNetns,
    readonly wires: Wires,
  ) {}

  static async make(host: TestHost): Promise<NicHost> {
    const guest = await makeNetns("nic");
    onTestFinished(() => guest[Symbol.asyncDispose]());
    await guest.ip("link", "add", "eth1", "type", "veth", "peer", "name", "zp1", "netns", host.lan.name);
    await guest.ip("addr", "add", `10.83.0.${host.number}/24`, "dev", "eth1");
    await run("sysctl", ["-q", "net.ipv6.conf.all.disable_ipv6=1"], { netns: guest.name });
    await guest.ip("link", "set", "eth1", "up");
    const wires = new Wires({
      forwarder: new Forwarder({ netns: host.lan.name, log }),
      setCarrier: (port, up) => host.lan.ip("link", "set", port, up ? "up" : "down"),
      log,
    });
    onTestFinished(() => wires.close());
    const made = new NicHost(host, guest, wires);
    await wires.settle();
    await made.start();
    host.plugger = new NicPlugger({ lans: noLans, wires, host: `h${host.number}` });
    await host.close();
    await host.open();
    return made;
  }

  async start(): Promise<void> {
    await this.wires.appeared(`hosts/h${this.host.number}/${this.lan}`, { port: "zp1", mtu: 1500, isVeth: true });
  }

  async stop(): Promise<void> {
    await this.wires.vanished(`hosts/h${this.host.number}/${this.lan}`);
  }

  async expectCarrier(up: boolean): Promise<void> {
    await eventually(async () => {
      const { stdout } = await run("ip", ["-n", this.guest.name, "-o", "link", "show", "dev", "eth1"]);
      expect(stdout.includes("LOWER_UP")).toBe(up);
    });
  }
}

export async function wired(): Promise<{
  hosts: TwoHosts;
  a: NicHost;
  b: NicHost;
  specs: ReturnType<TwoHosts["specs"]>;
}> {
  const hosts = await TwoHosts.make();
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  const [a, b] = [await NicHost.make(hosts.a), await NicHost.make(hosts.b)];
  const { a: first, b: second } = hosts.specs();
  const specs = { a: { ...first, lan: a.lan }, b: { ...second, lan: b.lan } };
  await hosts.a.cables.ensureEnd({ ...endSpec(specs.a), carrierHold: toDuration(200) });
  await hosts.b.cables.ensureEnd({ ...endSpec(specs.b), carrierHold: toDuration(200) });
  await hosts.active();
  return { hosts, a, b, specs };
}

export async function answered(from: NicHost, count = 5): Promise<number> {
  const address = `10.83.0.${3 - from.host.number}`;
  return (await pingAtOnce({ netns: from.guest.name, address, count })).size;
}
