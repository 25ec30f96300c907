import { compileQuery } from "../../../../lib/query/compile.js";
import type { Facts } from "../../../../lib/query/facts.js";
import { parseQuery } from "../../../../lib/query/parse.js";
import type { QueryTree } from "../../../../lib/query/tree.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { Host } from "../../../../proto/gen/zor/v1/host.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Link } from "../../../../proto/gen/zor/v1/link.js";

const now = Date.parse("2026-03-01T12:00:00Z");
export const vm = Instance.fromJSON({
  name: "hosts/rack2-a/instances/vm1",
  uid: "0f",
  labels: { site: "paris", "a.b/c": "x" },
  spec: {
    memoryMib: "8192",
    cpus: 4,
    nics: [{ name: "eth0", lan: "lan1", addresses: ["10.1.0.5"] }],
    qemu: { machine: "q35", disks: [{ image: "debian.qcow2" }] },
  },
  status: { state: "INSTANCE_STATE_STOPPED", reason: "asked by ana" },
  createTime: "2026-03-01T09:00:00Z",
});
export const box = Instance.fromJSON({ name: "hosts/alpha/instances/box", spec: { crun: { rootfs: "alpine" } } });
const host = Host.fromJSON({ name: "hosts/rack2-a", fingerprint: { memoryMib: "65536" }, state: "HOST_STATE_READY" });
const link = Link.fromJSON({
  name: "links/l1",
  spec: { a: "hosts/rack2-a/lans/lan1", b: "hosts/alpha/lans/lan1" },
  status: { rtt: { nanos: 25_000_000 }, lossRatio: 0.25, state: "LINK_STATE_ACTIVE" },
});
export const things = {
  vm: ["Instance", vm],
  box: ["Instance", box],
  host: ["Host", host],
  link: ["Link", link],
} as const;
const facts: Facts = {
  nowMs: () => now,
  figure: (name, figure) => {
    if (name !== vm.name) return undefined;
    return { [Figure.FIGURE_CPU_OF_LIMIT]: 850, [Figure.FIGURE_CPU]: 3400, [Figure.FIGURE_NET_IN]: 2048 }[
      figure as number
    ];
  },
  links: (name) => (name === "hosts/rack2-a/lans/lan1" ? [link] : []),
};

export function asks(query: string, thing: keyof typeof things): boolean {
  const [type, resource] = things[thing];
  return test(parseQuery(query).tree, type)(resource);
}

export function test(tree: QueryTree, type: string): (resource: unknown) => boolean {
  return compileQuery<unknown>(tree, {
    ...{ where: "query", type: `zor.v1.${type}`, words: "text" },
    bind: (field) => (resource) => field.read(resource, facts),
  });
}
