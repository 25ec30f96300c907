import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { assertConntrack } from "../../../agent/network/filters/conntrack.js";
import { NicFilters } from "../../../agent/network/filters/nic-filters.js";
import { parseFilterLine } from "../../../lib/filter-rule.js";
import { findProcesses } from "../../../lib/process.js";
import { nodePath } from "../../../lib/program.js";
import { FilterDirection, PortFilter } from "../../../proto/gen/zor/v1/acl.js";
import { eventually } from "../../helpers/eventually.js";
import { killed } from "../../helpers/killed.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { NetworkFixture, ping } from "./fixture.js";

let net: NetworkFixture;
let filters: NicFilters;
const guest = { uid: "aaa", address: "10.81.0.1", endpoint: "hosts/t/instances/aaa/nics/eth0", netns: "", mac: "" };
const other = { uid: "bbb", address: "10.81.0.2", netns: "" };

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan({ id: "lan1", uid: "u-filters", mtu: 1500, rstp: false });
  net.lans.flows.settle();
  filters = new NicFilters({
    flows: net.lans.flows,
    assertConntrack: (lan) => assertConntrack(net.sw, lan),
    log: net.log,
  });
  for (const place of [guest, other])
    place.netns = (await net.plugContainer(place.uid, "lan1", `${place.address}/24`)).netns;
  guest.mac = (await run("cat", ["/sys/class/net/eth0/address"], { netns: guest.netns })).stdout.trim();
  await ping(other.netns, guest.address);
});

afterAll(() => net.destroy());

/** Gives the guest's interface a filter of these lines; none: takes it away. */
async function set(...lines: string[]): Promise<void> {
  const filter = PortFilter.fromPartial({});
  for (const text of lines) {
    const line = parseFilterLine("rule", text);
    if ("rule" in line) filter.rules.push(line.rule);
    else if (line.direction === FilterDirection.FILTER_DIRECTION_IN) filter.defaultIn = line.byDefault;
    else filter.defaultOut = line.byDefault;
  }
  const { endpoint, mac, address } = guest;
  const wanted = { lan: "lan1", endpoint, mac, addresses: [`${address}/24`], filter };
  await filters.set(endpoint, lines.length === 0 ? undefined : wanted);
}

/** What a connection from the other to a port of the guest, where nobody listens, gives: "refused", or "silent" for so long. */
async function connect(port: number, seconds = 10): Promise<string> {
  const client = `const s = require("net").connect(${port}, "${guest.address}"); s.setTimeout(${seconds * 1000}, () => { console.log("silent"); process.exit(0); }); s.on("error", (e) => { console.log(e.code === "ECONNREFUSED" ? "refused" : e.code); process.exit(0); }); `;
  return (await run(nodePath, ["-e", client], { netns: other.netns })).stdout.trim();
}

const answers = async (from: string, to: string) => (await pingAtOnce({ netns: from, address: to, count: 2 })).size;

test("a filter lets in what rules allow and all answers, also after the switch was restarted, until it is taken away", async () => {
  await set("in default drop", "in allow tcp 80");
  // Nobody listens: what comes in is answered by the guest itself, and that answer is let out.
  expect([await connect(80), await connect(81, 1)]).toEqual(["refused", "silent"]);
  expect([await answers(guest.netns, other.address), await answers(other.netns, guest.address)]).toEqual([2, 0]);

  const [vswitchd] = await findProcesses(
    (argv) => argv[0]?.endsWith("ovs-vswitchd") === true && argv.some((word) => word.includes(net.stateDirectory)),
  );
  await killed(vswitchd?.pid ?? 0);
  await eventually(async () => expect(await answers(guest.netns, other.address)).toBe(2));
  await eventually(async () => expect([await connect(80), await connect(81, 1)]).toEqual(["refused", "silent"]));

  await set("out default drop", "in allow");
  expect([await answers(guest.netns, other.address), await answers(other.netns, guest.address)]).toEqual([0, 2]);
  await set();
  expect([await connect(81), await answers(guest.netns, other.address)]).toEqual(["refused", 2]);
});
