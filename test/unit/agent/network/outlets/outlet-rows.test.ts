import { expect, it } from "vitest";
import {
  adjustOutlets,
  controllerRow,
  sflowRow,
  type WantedOutlets,
} from "../../../../../agent/network/outlets/outlet-rows.js";
import type { MirroredRow, OvsdbMirror } from "../../../../../agent/network/ovs/ovsdb-mirror.js";
import { type OvsdbRow, toMapValue, toUuidValue } from "../../../../../agent/network/ovs/ovsdb-values.js";
import { Sflow } from "../../../../../proto/gen/zor/v1/lan_outlet.js";

const ours = toMapValue({ "zor-agent": "a1" });
const others = toMapValue({});
const sflow = sflowRow(Sflow.fromPartial({ collectors: ["10.0.0.9:6343"], sampling: 64 }), "127.0.0.1:4000");
const controller = controllerRow("/run/zor/ctl-1", 0);
const nothing: WantedOutlets = { exports: new Map(), controllers: new Map(), failMode: "standalone" };
const wanted: WantedOutlets = {
  exports: new Map([["sflow", sflow]]),
  controllers: new Map([["tcp:10.0.0.9:6653", controller]]),
  failMode: "secure",
};

/** A bridge with rows that its columns refer to. */
function world(rows: Readonly<Record<string, OvsdbRow>>, columns: OvsdbRow = {}) {
  const bridge: MirroredRow = { uuid: "b-1", columns: { external_ids: ours, ...columns } };
  const follow = (_: MirroredRow, column: string): readonly MirroredRow[] => {
    const row = rows[column];
    return row === undefined ? [] : [{ uuid: `u-${column}`, columns: row }];
  };
  return { bridge, mirror: { follow } as unknown as OvsdbMirror };
}

const adjust = (rows: Readonly<Record<string, OvsdbRow>>, columns: OvsdbRow, want: WantedOutlets) => {
  const { mirror, bridge } = world(rows, columns);
  return adjustOutlets(mirror, bridge, want).map(({ op, table, row }) => [op, table, row]);
};

it("makes what is missing, and leaves alone what is as it should be", () => {
  expect(adjust({}, {}, wanted)).toEqual([
    ["insert", "sFlow", { ...sflow, external_ids: ours }],
    ["insert", "Controller", { ...controller, external_ids: ours }],
    [
      ...["update", "Bridge"],
      {
        sflow: ["named-uuid", "sflow_b_1"],
        controller: ["set", [["named-uuid", "ctl0_b_1"]]],
        fail_mode: "secure",
      },
    ],
  ]);
  const whole = { sflow: { ...sflow, external_ids: ours }, controller: { ...controller, external_ids: ours } };
  expect(adjust(whole, { fail_mode: "secure" }, wanted)).toEqual([]);
  const changed = { ...whole, sflow: { ...whole.sflow, sampling: 1 } };
  expect(adjust(changed, { fail_mode: "secure" }, wanted)).toEqual([["update", "sFlow", { sampling: 64 }]]);
});

it("takes away what is ours, and nothing of anybody else", () => {
  const whole = { sflow: { ...sflow, external_ids: ours }, controller: { ...controller, external_ids: ours } };
  expect(adjust(whole, { fail_mode: "secure" }, nothing)).toEqual([
    ["update", "Bridge", { sflow: ["set", []], controller: ["set", []], fail_mode: ["set", []] }],
  ]);
  const foreign = { sflow: { ...sflow, external_ids: others }, controller: { ...controller, external_ids: others } };
  expect(adjust(foreign, { fail_mode: "secure" }, nothing)).toEqual([]);
});

it("has the controllers of the specification and no others", () => {
  const foreign = { controller: { target: "tcp:127.0.0.1:1", external_ids: others } };
  const operations = adjust(foreign, { fail_mode: "secure" }, { ...wanted, exports: new Map() });
  expect(operations.at(-1)).toEqual(["update", "Bridge", { controller: ["set", [["named-uuid", "ctl0_b_1"]]] }]);
  expect(toUuidValue("u")).toEqual(["uuid", "u"]);
});
