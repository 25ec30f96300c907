import { expect, it } from "vitest";
import { checkOutlets } from "../../../../../agent/network/outlets/check-outlets.js";
import { LanSpec } from "../../../../../proto/gen/zor/v1/lan.js";

const fieldsOf = (spec: object) =>
  checkOutlets(LanSpec.fromPartial(spec), (field, description) => ({ field, description })).map(({ field }) => field);
const collectors = ["10.0.0.9:2055"];

it.each([
  {},
  { controller: { targets: ["tcp:10.0.0.9:6653", "ssl:[fd00::9]:6653", "unix:/run/ctl.sock"], probeSeconds: 300 } },
  { flowExport: { netflow: { collectors }, sflow: { collectors, headerBytes: 16, agentAddress: "fd00::1" } } },
  { flowExport: { ipfix: { collectors: ["[fd00::9]:4739"], activeTimeoutSeconds: 60, maxFlows: 10 } } },
])("takes %j", (spec) => {
  expect(fieldsOf(spec)).toEqual([]);
});

it.each([
  [{ controller: {} }, "controller"],
  [{ controller: { targets: ["tcp:ctl.lab:6653"] } }, "controller.targets[0]"],
  [{ controller: { targets: ["ptcp:6653"] } }, "controller.targets[0]"],
  [{ controller: { targets: ["unix:ctl.sock"] } }, "controller.targets[0]"],
  [{ controller: { targets: ["unix:/run/../etc/ctl"] } }, "controller.targets[0]"],
  [{ controller: { targets: ["tcp:10.0.0.9:6653", "tcp:10.0.0.9:6653"] } }, "controller.targets[1]"],
  [{ controller: { targets: Array.from({ length: 5 }, (_, index) => `tcp:10.0.0.${index}:1`) } }, "controller.targets"],
  [{ controller: { targets: ["tcp:10.0.0.9:6653"], failMode: 7 } }, "controller.fail_mode"],
  [{ controller: { targets: ["tcp:10.0.0.9:6653"], probeSeconds: 301 } }, "controller.probe_seconds"],
  [{ controller: { targets: ["tcp:10.0.0.9:6653"] }, flows: ["arp,actions=drop"] }, "flows"],
  [{ controller: { targets: ["tcp:10.0.0.9:6653"] }, rspans: [{ mirror: "span1", vlan: 300 }] }, "rspans"],
  [{ flowExport: {} }, "flow_export"],
  [{ flowExport: { netflow: {} } }, "flow_export.netflow.collectors"],
  [{ flowExport: { netflow: { collectors: ["10.0.0.9"] } } }, "flow_export.netflow.collectors[0]"],
  [{ flowExport: { netflow: { collectors, activeTimeoutSeconds: -1 } } }, "flow_export.netflow.active_timeout_seconds"],
  [{ flowExport: { sflow: { collectors: ["lab:6343"] } } }, "flow_export.sflow.collectors[0]"],
  [{ flowExport: { sflow: { collectors, sampling: 1_000_001 } } }, "flow_export.sflow.sampling"],
  [{ flowExport: { sflow: { collectors, pollingSeconds: 3601 } } }, "flow_export.sflow.polling_seconds"],
  [{ flowExport: { sflow: { collectors, headerBytes: 15 } } }, "flow_export.sflow.header_bytes"],
  [{ flowExport: { sflow: { collectors, agentAddress: "fe80::1%eth0" } } }, "flow_export.sflow.agent_address"],
  [{ flowExport: { ipfix: { collectors, maxFlows: 10 } } }, "flow_export.ipfix.max_flows"],
])("refuses %j", (spec, field) => {
  expect(fieldsOf(spec)).toEqual([field]);
});
