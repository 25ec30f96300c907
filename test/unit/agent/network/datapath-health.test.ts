import { describe, expect, test } from "vitest";
import { DatapathHealth } from "../../../../agent/network/ovs/datapath-health.js";
import { findMissing, findReason, parseDatapath } from "../../../../agent/network/ovs/datapath-view.js";
import type { MirroredRow, OvsdbMirror } from "../../../../agent/network/ovs/ovsdb-mirror.js";

const shown = `netdev@ovs-netdev: hit:0 missed:0
  br1:
    br1 65534/1: (tap)
    v1 1/2: (system)
    lost 3/none: (system)
  br2:
    br2 65534/4: (tap)
system@ovs-system: hit:3 missed:1
  br3:
    br3 65534/1: (internal)
`;

test("what a datapath has is read from dpif/show, without ports that no frames reach", () => {
  const view = parseDatapath(shown);
  expect([...view].map(([bridge, ports]) => [bridge, [...ports]])).toEqual([
    ["br1", ["br1", "v1"]],
    ["br2", ["br2"]],
    ["br3", ["br3"]],
  ]);
  expect(parseDatapath("")).toEqual(new Map());
});

test("of a bridge that is missing all ports are; of another those that are not there", () => {
  const wanted = [
    { name: "br1", ports: ["br1", "v1", "lost"] },
    { name: "br9", ports: ["br9", "v9"] },
  ];
  const { bridges, ports } = findMissing(wanted, parseDatapath(shown));
  expect([...bridges]).toEqual(["br9"]);
  expect([...ports]).toEqual(["lost", "br9", "v9"]);
});

const busy =
  "2026-11-26T20:17:47Z|00001|netdev_linux|WARN|ovs-netdev: creating tap device failed: Device or resource busy";
const failed = "2026-11-26T20:17:47Z|00005|bridge|ERR|failed to create bridge zl1: No such device";
const noDevice = "2026-11-26T20:17:48Z|00006|bridge|WARN|could not open network device zp1 (No such device)";

test.each([
  [
    "the device that is in the way",
    [busy, failed],
    "zl1",
    "failed to create bridge zl1: No such device (ovs-netdev: creating tap device failed: Device or resource busy)",
  ],
  ["a port", [noDevice], "zp1", "could not open network device zp1 (No such device)"],
  ["nothing of another whose name begins alike", [failed, noDevice], "zp", ""],
  ["nothing", [], "zl1", ""],
  [
    "the last",
    [failed, failed.replace("No such device", "File exists")],
    "zl1",
    "failed to create bridge zl1: File exists",
  ],
])("the reason in the daemon's log: %s", (_what, lines, name, reason) => {
  expect(findReason(`${lines.join("\n")}\n`, name)).toBe(reason);
});

/** A database with one bridge of ours and a port in it. */
function mirror({ settled = true } = {}): OvsdbMirror {
  const rows: Readonly<Record<string, MirroredRow>> = {
    bridge: { uuid: "b", columns: { name: "br1" } },
    own: { uuid: "p", columns: { name: "br1" } },
    port: { uuid: "q", columns: { name: "v1" } },
    root: { uuid: "r", columns: { cur_cfg: 1, next_cfg: settled ? 1 : 2 } },
  };
  // Only what a look reads.
  return {
    list: () => [rows["bridge"]],
    follow: () => [rows["own"], rows["port"]],
    root: () => rows["root"],
  } as unknown as OvsdbMirror;
}

async function look(health: DatapathHealth, text: string | Error, options: { readonly settled?: boolean } = {}) {
  const datapath = async () => {
    if (text instanceof Error) throw text;
    return parseDatapath(text);
  };
  return health.look({
    vswitchd: { datapath },
    database: { echo: async () => undefined },
    mirror: mirror(options),
    isOurs: () => true,
    readLog: async () => failed,
  });
}

const whole = "netdev@ovs-netdev:\n  br1:\n    br1 65534/1: (tap)\n    v1 1/2: (system)\n";
const withoutPort = whole.replace(/ {4}v1.*\n/, "");

describe("the health of a switch", () => {
  test("is well when all is there", async () => {
    const health = new DatapathHealth();
    expect(await look(health, whole)).toBe(false);
    expect([health.isWhole, health.faultOfBridge("br1"), health.faultOfPort("v1")]).toEqual([true, "", ""]);
    expect(health.takeRetry(0)).toBe(false);
  });

  test("names a port and a bridge that are missing, once each as a change", async () => {
    const health = new DatapathHealth();
    expect(await look(health, withoutPort)).toBe(true);
    expect(await look(health, withoutPort)).toBe(false);
    expect(health.faultOfPort("v1")).toContain("does not have its port");
    expect(health.faultOfBridge("br1")).toBe("");
    expect(await look(health, "")).toBe(true);
    expect(health.faultOfBridge("br1")).toContain("could not make its bridge");
    expect(await look(health, whole)).toBe(true);
    expect(health.isWhole).toBe(true);
  });

  test("compares nothing while a change is being applied", async () => {
    const health = new DatapathHealth();
    await look(health, "", { settled: false });
    expect(health.isWhole).toBe(true);
  });

  test("has what is missing tried again soon, then less often: a bridge every two seconds, a port every thirty", async () => {
    for (const [text, longest] of [
      ["", 2_000],
      [withoutPort, 30_000],
    ] as const) {
      const health = new DatapathHealth();
      await look(health, text);
      const times = Array.from({ length: 1_000 }, (_, index) => index * 250).filter((ms) => health.takeRetry(ms));
      expect(times.slice(0, 4)).toEqual([0, 250, 750, 1_750]);
      expect((times.at(-1) ?? 0) - (times.at(-2) ?? 0)).toBe(longest);
    }
  });

  test("is silent when the daemon does not answer, and lost when it goes on so", async () => {
    const health = new DatapathHealth();
    await look(health, new Error("ovs-vswitchd does not answer"));
    expect([health.faultOfBridge("br1"), health.isWhole, health.isLost]).toEqual([
      "ovs-vswitchd does not answer",
      false,
      false,
    ]);
    await look(health, whole);
    for (let count = 0; count < 3; count += 1) await look(health, new Error("x"));
    expect(health.isLost).toBe(true);
  });
});
