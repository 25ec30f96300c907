import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { assertConntrack } from "../../../agent/network/filters/conntrack.js";
import { NicFilters } from "../../../agent/network/filters/nic-filters.js";
import { parseFilterLine } from "../../../lib/filter-rule.js";
import { FilterDirection, PortFilter } from "../../../proto/gen/zor/v1/acl.js";
import { type LanFilterRow, LanFilterPart as Part } from "../../../proto/gen/zor/v1/lan_filter.js";
import { eventually } from "../../helpers/eventually.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { NetworkFixture, ping } from "../../integration/network/fixture.js";

let net: NetworkFixture;
let filters: NicFilters;
const lan1 = { id: "lan1", uid: "u-counts", mtu: 1500, rstp: false };
const guest = { uid: "aaa", address: "10.83.0.1", endpoint: "hosts/t/instances/aaa/nics/eth0", netns: "", mac: "" };
const other = { uid: "bbb", address: "10.83.0.2", netns: "" };

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan(lan1);
  await net.lans.flows.settle();
  open();
  for (const place of [guest, other])
    place.netns = (await net.plugContainer(place.uid, "lan1", `${place.address}/24`)).netns;
  guest.mac = (await run("cat", ["/sys/class/net/eth0/address"], { netns: guest.netns })).stdout.trim();
  await ping(other.netns, guest.address);
});

afterAll(() => net.destroy());

function open(): void {
  filters = new NicFilters({
    flows: net.lans.flows,
    assertConntrack: (lan) => assertConntrack(net.sw, lan),
    log: net.log,
  });
  filters.follow({ addressesOf: () => [], heardOf: () => [guest.address] });
}

/** Gives the guest's interface a filter of these lines. */
async function set(...lines: string[]): Promise<void> {
  const filter = PortFilter.fromPartial({});
  for (const text of lines) {
    const line = parseFilterLine("rule", text);
    if ("rule" in line) filter.rules.push(line.rule);
    else if (line.direction === FilterDirection.FILTER_DIRECTION_IN) filter.defaultIn = line.byDefault;
    else filter.defaultOut = line.byDefault;
  }
  const { endpoint, mac, address } = guest;
  await filters.set(endpoint, { lan: "lan1", endpoint, mac, addresses: [`${address}/24`], filter });
}

async function counted() {
  const response = await filters.count("lan1");
  const [filter] = response.filters;
  const framesOf = (found: LanFilterRow | undefined) => Number(found?.count?.frames ?? -1n);
  const rule = (number: number) => filter?.rows.find(({ ruleNumber }) => ruleNumber === number);
  const part = (wanted: Part, direction: FilterDirection) =>
    framesOf(filter?.rows.find((row) => row.part === wanted && row.direction === direction));
  return { ...response, filter, rule, part, frames: (number: number) => framesOf(rule(number)) };
}

const lines = [
  ...["in default drop", "in drop icmp from 10.83.0.9", "in allow icmp", "in drop icmp from 10.83.0.2"],
  ...["in drop udp 1000-1999", "in allow tcp from instances labels.role = none"],
] as const;
const into = FilterDirection.FILTER_DIRECTION_IN;
const out = FilterDirection.FILTER_DIRECTION_OUT;

/** Sends datagrams, of ten bytes each, from the other to ports of the guest, one after the other. */
async function send(...ports: readonly number[]): Promise<void> {
  const program = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in [${ports.join(",")}]: s.sendto(b"0123456789", ("${guest.address}", port))`;
  await run("python3", ["-c", program], { netns: other.netns });
}

it("each rule, the default and what is known count their own frames, exactly", { timeout: 240_000 }, async () => {
  await set(...lines);
  // What was allowed before is forgotten, and who is who known by both.
  await ping(other.netns, guest.address);
  const before = await counted();
  expect(before.filter).toMatchObject({ endpoint: guest.endpoint, defaultIn: 2, defaultOut: 1, sharedWith: "" });
  expect(before.rule(3)?.coveredBy).toEqual([2]);
  expect(before.rule(5)).toMatchObject({ flows: 0, missingFlows: 0 });
  expect(before.filter?.rows.reduce((all, { missingFlows }) => all + missingFlows, 0)).toBe(0);

  expect((await pingAtOnce({ netns: other.netns, address: guest.address, count: 20 })).size).toBe(20);
  await send(...Array.from({ length: 30 }, (_, index) => 1000 + index), ...Array(7).fill(2500));
  await eventually(async () => {
    const now = await counted();
    // Of one run of ping: the first frame begins a connection, the others, and all answers, are of it.
    const since = (number: number) => now.frames(number) - before.frames(number);
    expect([since(1), since(3), since(4), since(5)]).toEqual([0, 0, 30, 0]);
    expect(since(2)).toBeGreaterThan(0);
    const known = (way: FilterDirection) =>
      now.part(Part.LAN_FILTER_PART_KNOWN, way) - before.part(Part.LAN_FILTER_PART_KNOWN, way);
    expect([since(2) + known(into), known(out)]).toEqual([20, 20]);
    const byDefault = now.part(Part.LAN_FILTER_PART_DEFAULT, into) - before.part(Part.LAN_FILTER_PART_DEFAULT, into);
    expect(byDefault).toBe(7);
    expect((now.filter?.dropped?.frames ?? 0n) - (before.filter?.dropped?.frames ?? 0n)).toBe(7n);
    const bytes = (number: number) => Number(now.rule(number)?.count?.bytes ?? 0n);
    expect(bytes(4) - Number(before.rule(4)?.count?.bytes ?? 0n)).toBe(30 * (14 + 20 + 8 + 10));
    const from = (now.unfilteredFrom?.frames ?? 0n) - (before.unfilteredFrom?.frames ?? 0n);
    expect(from).toBeGreaterThanOrEqual(57n);
  });
});

it("counts and their age outlive the agent, and begin again with what is made again", {
  timeout: 240_000,
}, async () => {
  await set(...lines);
  await send(1000, 1001, 1002);
  await eventually(async () => expect((await counted()).frames(4)).toBeGreaterThanOrEqual(3));
  // Whole seconds are told: it has been there for some.
  await eventually(async () => expect((await counted()).rule(4)?.count?.ageSeconds).toBeGreaterThanOrEqual(3n));
  const before = await counted();

  await net.reopen();
  open();
  await net.lans.ensureLan(lan1);
  await set(...lines);
  await net.lans.flows.settle();
  const after = await counted();
  expect(after.frames(4)).toBeGreaterThanOrEqual(before.frames(4));
  expect(after.rule(4)?.count?.ageSeconds).toBeGreaterThanOrEqual(before.rule(4)?.count?.ageSeconds ?? 0n);

  // Somebody lets pass what is forbidden, behind the agent's back: it is put right, and what passed meanwhile is not told as dropped.
  const healed: string[] = [];
  net.lans.flows.onChange((change) => healed.push(change.healed));
  const bridge = await net.vsctl("list-br");
  const target = `unix:${net.stateDirectory}/ovs/${bridge}.mgmt`;
  const { ageSeconds = 0n } = (await counted()).rule(4)?.count ?? {};
  const passing = "table=20,udp,ct_state=+trk+new,actions=goto_table:30";
  await run("ovs-ofctl", ["-O", "OpenFlow14", "mod-flows", target, passing]);
  await eventually(() => expect(healed.join()).toContain("were changed at the switch"));
  const mended = (await counted()).rule(4);
  expect(mended).toMatchObject({ missingFlows: 0, count: { frames: 0n } });
  expect(mended?.count?.ageSeconds).toBeLessThan(ageSeconds);

  // A rule that is taken away takes its counts with it; the others go on.
  const earlier = await counted();
  const known = earlier.part(Part.LAN_FILTER_PART_KNOWN, into);
  const dropped = earlier.part(Part.LAN_FILTER_PART_DEFAULT, into);
  await set(...lines.filter((line) => !line.includes("1000-1999")));
  await send(1000);
  await eventually(async () => {
    const now = await counted();
    expect(now.filter?.rows.some(({ rule }) => rule?.protocol === "udp")).toBe(false);
    expect(now.part(Part.LAN_FILTER_PART_DEFAULT, into)).toBeGreaterThan(dropped);
    expect(now.part(Part.LAN_FILTER_PART_KNOWN, into)).toBeGreaterThanOrEqual(known);
  });
});

it("an interface that leaves has its filter and its counts no more", { timeout: 120_000 }, async () => {
  await filters.set(guest.endpoint, undefined);
  expect(await filters.count("lan1")).toEqual({ filters: [], unfilteredFrom: undefined, unfilteredTo: undefined });
});
