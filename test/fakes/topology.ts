import type { KnownResource } from "../../lib/kinds/resource.js";
import { A2b, A2bState } from "../../proto/gen/zor/v1/a2b.js";
import { Host, HostState } from "../../proto/gen/zor/v1/host.js";
import { Instance, InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../proto/gen/zor/v1/lan.js";
import { Link, LinkPath, LinkState } from "../../proto/gen/zor/v1/link.js";
import { Nat, NatState } from "../../proto/gen/zor/v1/nat.js";
import { Wire, WireState } from "../../proto/gen/zor/v1/wire.js";

/** A host of a map. */
export function hostOn(id: string, state: HostState = HostState.HOST_STATE_READY): KnownResource {
  return { kind: "host", value: Host.fromPartial({ name: `hosts/${id}`, state }) };
}

/** A lan, "alpha/lan1". */
export function lanOn(short: string, reason = ""): KnownResource {
  const [host, id] = short.split("/");
  return { kind: "lan", value: Lan.fromPartial({ name: `hosts/${host}/lans/${id}`, status: { reason } }) };
}

/** An instance, "alpha/r1", with an interface in each of these lans, in none for "". */
export function instanceOn(
  short: string,
  lans: readonly string[],
  state: InstanceState = InstanceState.INSTANCE_STATE_RUNNING,
): KnownResource {
  const [host, id] = short.split("/");
  const nics = lans.map((lan, index) => ({ name: `eth${index}`, lan, addresses: [`10.0.${index}.7/24`] }));
  const value = Instance.fromPartial({
    name: `hosts/${host}/instances/${id}`,
    spec: { cpus: 1, memoryMib: 128n, nics },
    status: { state, nics },
  });
  return { kind: "instance", value };
}

/** A nat, "alpha/way", in a lan. */
export function natOn(short: string, lan: string): KnownResource {
  const [host, id] = short.split("/");
  const spec = { lan, subnet: "10.77.0.0/24" };
  const value = Nat.fromPartial({
    name: `hosts/${host}/nats/${id}`,
    spec,
    status: { state: NatState.NAT_STATE_READY },
  });
  return { kind: "nat", value };
}

/** An in-line box, "alpha/wan", between two lans. */
export function boxOn(short: string, lanA: string, lanB: string): KnownResource {
  const [host, id] = short.split("/");
  const delay = { seconds: 0n, nanos: 20_000_000 };
  const value = A2b.fromPartial({
    name: `hosts/${host}/a2bs/${id}`,
    spec: { lanA, lanB, aToB: { delay } },
    status: { state: A2bState.A2B_STATE_ACTIVE, currentAToB: { delay } },
  });
  return { kind: "a2b", value };
}

/** A wire, "alpha/w1", between ends such as "r1:eth1". */
export function wireOn(
  short: string,
  a: string,
  b: string,
  state: WireState = WireState.WIRE_STATE_ACTIVE,
): KnownResource {
  const [host = "", id] = short.split("/");
  const spec = { a: endName(host, a), b: endName(host, b) };
  return { kind: "wire", value: Wire.fromPartial({ name: `hosts/${host}/wires/${id}`, spec, status: { state } }) };
}

/** A link between ends such as "alpha/lan1" and "beta/r1:eth1". */
export function linkBetween(
  id: string,
  a: string,
  b: string,
  state: LinkState = LinkState.LINK_STATE_ACTIVE,
): KnownResource {
  const [specA, specB] = [a, b].map((end) => endName(end.split("/")[0] ?? "", end.split("/")[1] ?? ""));
  const isUp = state === LinkState.LINK_STATE_ACTIVE;
  const value = Link.fromPartial({
    name: `links/${id}`,
    spec: { a: specA ?? "", b: specB ?? "" },
    status: {
      state,
      path: isUp ? LinkPath.LINK_PATH_DIRECT : LinkPath.LINK_PATH_UNSPECIFIED,
      ...(isUp ? { rtt: { seconds: 0n, nanos: 420_000 }, aToBBps: 1_200_000n, bToABps: 64_000n } : {}),
    },
  });
  return { kind: "link", value };
}

function endName(host: string, end: string): string {
  const [id, nic] = end.split(":");
  return nic === undefined ? `hosts/${host}/lans/${id}` : `hosts/${host}/instances/${id}/nics/${nic}`;
}

/** Two hosts with a bit of everything: leaves, a router, a wire, a box, a way out, links of which one is down. */
export function smallLab(): KnownResource[] {
  return [
    hostOn("alpha"),
    hostOn("beta"),
    ...["alpha/lan1", "alpha/lan2", "alpha/dmz", "beta/lan1"].map((lan) => lanOn(lan)),
    ...["alpha/web1", "alpha/web2"].map((name) => instanceOn(name, ["dmz"])),
    instanceOn("alpha/db1", ["lan1"], InstanceState.INSTANCE_STATE_STOPPED),
    instanceOn("alpha/r1", ["lan1", "lan2"]),
    instanceOn("alpha/fw", ["lan2", "dmz", ""]),
    instanceOn("alpha/spare", [], InstanceState.INSTANCE_STATE_STOPPED),
    instanceOn("beta/client1", ["lan1"]),
    instanceOn("beta/client2", ["lan1"], InstanceState.INSTANCE_STATE_FAILED),
    instanceOn("beta/r2", ["lan1", ""]),
    instanceOn("beta/probe", [""]),
    natOn("alpha/way", "dmz"),
    boxOn("alpha/wan", "lan1", "dmz"),
    wireOn("beta/w1", "r2:eth1", "probe:eth0"),
    linkBetween("demo", "alpha/lan1", "beta/lan1"),
    linkBetween("backup", "alpha/lan2", "beta/lan1", LinkState.LINK_STATE_DOWN),
    linkBetween("tail", "alpha/fw:eth2", "beta/lan1"),
  ];
}

const ids = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];

/** Many instances on many hosts: three lans each, every tenth instance a router between two of them, links in a ring. */
export function largeLab(instances: number, hosts: number): KnownResource[] {
  const names = Array.from({ length: hosts }, (_, index) => ids[index] ?? `host${index}`);
  const resources = names.flatMap((host) => [hostOn(host), ...[1, 2, 3].map((lan) => lanOn(`${host}/lan${lan}`))]);
  for (let index = 0; index < instances; index += 1) {
    const host = names[index % hosts] ?? "";
    const number = Math.floor(index / hosts);
    const [first, second] = [`lan${1 + (number % 3)}`, `lan${1 + ((number + 1) % 3)}`];
    const state = number % 4 === 3 ? InstanceState.INSTANCE_STATE_STOPPED : InstanceState.INSTANCE_STATE_RUNNING;
    resources.push(instanceOn(`${host}/vm${number}`, number % 10 === 0 ? [first, second] : [first], state));
  }
  for (const [index, host] of names.entries()) {
    const next = names[(index + 1) % hosts] ?? "";
    const state = index === 2 ? LinkState.LINK_STATE_DOWN : LinkState.LINK_STATE_ACTIVE;
    if (hosts > 2 || index === 0) resources.push(linkBetween(`ring${index}`, `${host}/lan1`, `${next}/lan1`, state));
    resources.push(boxOn(`${host}/wan`, "lan1", "lan2"), natOn(`${host}/way`, "lan3"));
  }
  return resources;
}
