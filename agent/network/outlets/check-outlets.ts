import { isIP } from "node:net";
import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { LanSpec } from "../../../proto/gen/zor/v1/lan.js";
import { ControllerFailMode, type FlowExport, type LanController } from "../../../proto/gen/zor/v1/lan_outlet.js";
import { parseAddress, parseController } from "./outlet-address.js";

const [maxControllers, maxCollectors] = [4, 8];

type Find = (field: string, description: string) => FieldViolation;

/** What is wrong with what of a lan leaves its switch; pure. */
export function checkOutlets(
  { controller, flowExport, flows, rspans }: LanSpec,
  found: Find,
): readonly FieldViolation[] {
  return [
    ...(controller === undefined ? [] : checkController(controller, { flows, rspans }, found)),
    ...(flowExport === undefined ? [] : checkExport(flowExport, found)),
  ];
}

function checkController(
  { targets, failMode, probeSeconds }: LanController,
  { flows, rspans }: Pick<LanSpec, "flows" | "rspans">,
  found: Find,
): readonly FieldViolation[] {
  const field = "controller.targets";
  const whole = "with a controller, which has the whole bridge; leave one of both out";
  const form = 'such as "tcp:10.0.0.9:6653", "ssl:[fd00::9]:6653" or "unix:PATH", by address, not by name';
  return [
    ...(targets.length === 0 ? [found("controller", "must have a target; leave controller out for none")] : []),
    ...(targets.length > maxControllers ? [found(field, `${targets.length} are more than ${maxControllers}`)] : []),
    ...targets.flatMap((target, index) => {
      const name = `${field}[${index}]`;
      if (parseController(target) === undefined) return [found(name, `${quote(target)} is no controller ${form}`)];
      return targets.indexOf(target) === index ? [] : [found(name, `${quote(target)} is there twice`)];
    }),
    ...(ControllerFailMode[failMode] !== undefined && failMode >= 0
      ? []
      : [found("controller.fail_mode", "must be STANDALONE or SECURE")]),
    ...outside(found, "controller.probe_seconds", { value: probeSeconds, min: 1, max: 300 }),
    ...(flows.length === 0 ? [] : [found("flows", `do not go ${whole}`)]),
    ...(rspans.length === 0 ? [] : [found("rspans", `do not go ${whole}`)]),
  ];
}

function checkExport({ netflow, sflow, ipfix, observationDomain }: FlowExport, found: Find): readonly FieldViolation[] {
  const at = (field: string) => `flow_export.${field}`;
  const sampling = (value: number, field: string) => outside(found, at(field), { value, min: 1, max: 1_000_000 });
  return [
    ...(netflow === undefined && sflow === undefined && ipfix === undefined
      ? [found("flow_export", "must have netflow, sflow or ipfix; leave it out for none")]
      : []),
    ...(Number.isInteger(observationDomain) && observationDomain >= 0 && observationDomain <= 0xffff_ffff
      ? []
      : [found(at("observation_domain"), "is not between 0 and 4294967295")]),
    ...(netflow === undefined
      ? []
      : [
          ...checkCollectors(netflow.collectors, at("netflow.collectors"), found),
          ...outside(found, at("netflow.active_timeout_seconds"), {
            ...{ value: netflow.activeTimeoutSeconds, min: 1, max: 3600 },
          }),
        ]),
    ...(sflow === undefined
      ? []
      : [
          ...checkCollectors(sflow.collectors, at("sflow.collectors"), found),
          ...sampling(sflow.sampling, "sflow.sampling"),
          ...outside(found, at("sflow.polling_seconds"), { value: sflow.pollingSeconds, min: 1, max: 3600 }),
          ...outside(found, at("sflow.header_bytes"), { value: sflow.headerBytes, min: 16, max: 256 }),
          ...(sflow.agentAddress === "" || isPlainAddress(sflow.agentAddress)
            ? []
            : [found(at("sflow.agent_address"), `${quote(sflow.agentAddress)} is no IP address`)]),
        ]),
    ...(ipfix === undefined
      ? []
      : [
          ...checkCollectors(ipfix.collectors, at("ipfix.collectors"), found),
          ...sampling(ipfix.sampling, "ipfix.sampling"),
          ...outside(found, at("ipfix.active_timeout_seconds"), {
            ...{ value: ipfix.activeTimeoutSeconds, min: 1, max: 4200 },
          }),
          ...outside(found, at("ipfix.max_flows"), { value: ipfix.maxFlows, min: 1, max: 1_000_000 }),
          ...(ipfix.maxFlows !== 0 && ipfix.activeTimeoutSeconds === 0
            ? [found(at("ipfix.max_flows"), "needs active_timeout_seconds: without it nothing is put together")]
            : []),
        ]),
  ];
}

function isPlainAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes("%");
}

function checkCollectors(collectors: readonly string[], field: string, found: Find): readonly FieldViolation[] {
  if (collectors.length === 0) return [found(field, "must name a collector")];
  if (collectors.length > maxCollectors) return [found(field, `${collectors.length} are more than ${maxCollectors}`)];
  return collectors.flatMap((collector, index) => {
    const name = `${field}[${index}]`;
    if (parseAddress(collector) === undefined) {
      return [found(name, `${quote(collector)} is no collector such as "10.0.0.9:2055", by address, not by name`)];
    }
    return collectors.indexOf(collector) === index ? [] : [found(name, `${quote(collector)} is there twice`)];
  });
}

/** 0 is the default. */
function outside(
  found: Find,
  field: string,
  { value, min, max }: { readonly value: number; readonly min: number; readonly max: number },
): readonly FieldViolation[] {
  return value === 0 || (value >= min && value <= max)
    ? []
    : [found(field, `${value} is not between ${min} and ${max}`)];
}
