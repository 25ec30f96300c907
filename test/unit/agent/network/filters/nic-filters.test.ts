import { expect, test } from "vitest";
import type { FlowBuild } from "../../../../../agent/network/flows/flow-set.js";
import { type NicFilter, NicFilters } from "../../../../../agent/network/filters/nic-filters.js";
import { failedPrecondition } from "../../../../../lib/errors.js";
import { createLog } from "../../../../../lib/log.js";
import { FilterAction, FilterDirection, PortFilter } from "../../../../../proto/gen/zor/v1/acl.js";
import { eventually } from "../../../../helpers/eventually.js";

const endpoint = "hosts/a/instances/web/nics/eth0";
const ports = [{ port: "p1", endpoint, number: 3 }];

/** A filter that lets in what comes from instances of a role. */
function nic(lan: string, remoteInstances = ""): NicFilter {
  const { FILTER_DIRECTION_IN: direction } = FilterDirection;
  const { FILTER_ACTION_ALLOW: action, FILTER_ACTION_DROP: defaultIn } = FilterAction;
  const filter = PortFilter.fromPartial({ defaultIn, rules: [{ direction, action, remoteInstances }] });
  return { lan, endpoint, mac: "52:54:00:00:00:01", addresses: ["10.0.0.1/24"], filter };
}

function rig() {
  const sets = new Map<string, FlowBuild | undefined>();
  const state = { refuses: false, hasConntrack: true };
  const filters = new NicFilters({
    log: createLog("test", { write: () => undefined }),
    flows: {
      set: async (lan, _part, build) => {
        if (state.refuses && build !== undefined) throw failedPrecondition("FLOWS_REFUSED", lan, "refused");
        sets.set(lan, build);
      },
      count: async (lan) => {
        const build = sets.get(lan);
        return build && { build, ports, counts: new Map() };
      },
    },
    assertConntrack: async (lan) => {
      if (!state.hasConntrack) throw failedPrecondition("NO_CONNTRACK", lan, "no");
    },
  });
  const textOf = (lan: string) => (sets.get(lan)?.(ports).flows ?? []).join("\n");
  return { filters, state, sets, textOf };
}

test("a filter goes with its NIC from lan to lan, and leaves nothing behind", async () => {
  const { filters, sets, textOf } = rig();
  await filters.set(endpoint, nic("lan1"));
  expect(textOf("lan1")).toContain("in_port=3");
  await filters.set(endpoint, nic("lan2"));
  expect([sets.get("lan1"), textOf("lan2").includes("in_port=3")]).toEqual([undefined, true]);
  await filters.set(endpoint, undefined);
  expect(sets.get("lan2")).toBeUndefined();
});

test("what the switch refuses, or cannot do, changes nothing", async () => {
  const { filters, state, textOf } = rig();
  await filters.set(endpoint, nic("lan1"));
  const before = textOf("lan1");
  state.refuses = true;
  await expect(filters.set(endpoint, nic("lan1", "labels.role = web"))).rejects.toThrow("refused");
  state.refuses = false;
  filters.refresh();
  await eventually(() => expect(textOf("lan1")).toBe(before));
  state.hasConntrack = false;
  await expect(filters.set(endpoint, nic("lan2"))).rejects.toMatchObject({ reason: "NO_CONNTRACK" });
  expect([textOf("lan1"), textOf("lan2")]).toEqual([before, ""]);
});

test("a NIC that could not be plugged in has the filter that it had", async () => {
  const { filters, sets } = rig();
  const plug = () => Promise.reject(new Error("no such lan"));
  await expect(filters.plugging(endpoint, nic("lan1"), plug)).rejects.toThrow("no such lan");
  expect(sets.get("lan1")).toBeUndefined();
});

test("groups and addresses are followed as they change", async () => {
  const { filters, textOf } = rig();
  let members = ["10.0.0.7"];
  filters.follow({
    addressesOf: (text) => (text === "labels.role = web" ? members : []),
    heardOf: () => ["10.0.0.99"],
  });
  await filters.set(endpoint, nic("lan1", "labels.role = web"));
  expect(textOf("lan1")).toContain("nw_src=10.0.0.7");
  expect(textOf("lan1")).toContain("nw_dst=10.0.0.99,actions=drop");
  members = ["10.0.0.8"];
  filters.refresh();
  await eventually(() => expect(textOf("lan1")).toContain("nw_src=10.0.0.8"));
  expect(textOf("lan1")).not.toContain("nw_src=10.0.0.7");
});

test("every lan has a zone of its own", async () => {
  const { filters, textOf } = rig();
  const zones = new Set<string>();
  for (let index = 0; index < 50; index += 1) {
    await filters.set(`${endpoint}${index}`, nic(`lan${index}`));
    zones.add(/ct\(zone=(\d+),table=20\)/.exec(textOf(`lan${index}`))?.[1] ?? "");
  }
  expect(zones.size).toBe(50);
});

test("what is counted is what the switch was brought to", async () => {
  const { filters, state } = rig();
  expect(await filters.count("lan1")).toMatchObject({ filters: [], unfilteredFrom: undefined });
  await filters.set(endpoint, nic("lan1"));
  state.refuses = true;
  await expect(filters.set(endpoint, nic("lan1", "labels.role = web"))).rejects.toThrow("refused");
  const [only] = (await filters.count("lan1")).filters;
  expect(only).toMatchObject({ endpoint, port: "p1" });
  expect(only?.rows.find(({ ruleNumber }) => ruleNumber === 1)).toMatchObject({ flows: 2, missingFlows: 2 });
});
