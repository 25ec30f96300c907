import { type FieldViolation, ZorError } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import type { InstanceSpec, Nic } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceDriver } from "../../drivers/driver.js";
import { findDriver } from "../../drivers/find-driver.js";
import { parseCidr, parseInterfaceName, parseMac } from "../../network/ip.js";
import { checkBonds } from "../../network/lans/bond-check.js";
import { checkPort, settlePort } from "../../network/lans/port-check.js";
import { checkLifecycle } from "./lifecycle-check.js";
import { macOf } from "./mac.js";
import { checkSchedules } from "./schedule-check.js";

/** What a host has to give. */
export interface HostLimits {
  readonly cpus: number;
  readonly memoryMib: number;
}

const defaultCpus = 1;
const defaultMemoryMib = 128n;
const maxNics = 31;
const maxAddresses = 32;

/**
 * Checks the parts of a spec that no driver knows and fills in the defaults; pure.
 * `field` is the proto path of the spec.
 */
export function checkSpec(
  field: string,
  spec: InstanceSpec,
  options: { readonly limits: HostLimits; readonly uid: string; readonly drivers: readonly InstanceDriver[] },
): { readonly spec: InstanceSpec; readonly violations: readonly FieldViolation[] } {
  const cpus = spec.cpus ?? defaultCpus;
  const memoryMib = spec.memoryMib ?? defaultMemoryMib;
  const nics = spec.nics.map((nic, index) => withDefaults(nic, index, options.uid));
  const violations = [
    // What others made may be on another machine, or is what it is.
    ...(findDriver(options.drivers, spec)?.can.discover === undefined
      ? checkSize(field, { cpus, memoryMib }, options.limits)
      : []),
    ...checkNics(`${field}.nics`, nics),
    ...checkDriver(field, spec, options.drivers),
    ...checkLifecycle(field, spec),
    ...checkSchedules(`${field}.schedules`, spec.schedules, findDriver(options.drivers, spec)),
  ];
  return { spec: { ...spec, cpus, memoryMib, nics }, violations };
}

function checkDriver(field: string, spec: InstanceSpec, drivers: readonly InstanceDriver[]): FieldViolation[] {
  if (spec.driver === undefined) {
    const kinds = drivers.map(({ kind }) => kind).join(" or ");
    return [{ field: `${field}.driver`, description: `must be set: ${kinds}, with that driver's options` }];
  }
  const driver = findDriver(drivers, spec);
  const shared = driver?.sharing?.networkOf(spec) ?? "";
  if (shared !== "" && spec.nics.length > 0) {
    const description = `must be empty: it joins the network of ${quote(shared)}, and has the interfaces of that`;
    return [{ field: `${field}.nics`, description }];
  }
  if (driver?.network === "join") return spec.nics.flatMap((nic, index) => checkPlain(`${field}.nics[${index}]`, nic));
  if (driver?.network !== "own" || spec.nics.length === 0) return [];
  const description = `must be empty: instances of driver ${driver.kind} have the network of their runtime, not of lans`;
  return [{ field: `${field}.nics`, description }];
}

/** Containers have interfaces of the kernel's own, which are of no model. */
function checkPlain(field: string, { model, queues }: Nic): FieldViolation[] {
  const why = "is for machines; a container's interface is the kernel's own";
  return [
    ...(model === "" ? [] : [{ field: `${field}.model`, description: why }]),
    ...(queues === 0 ? [] : [{ field: `${field}.queues`, description: why }]),
  ];
}

function withDefaults(nic: Nic, index: number, uid: string): Nic {
  const name = nic.name === "" ? `eth${index}` : nic.name;
  const mac = nic.mac === "" ? macOf(uid, name) : nic.mac.toLowerCase();
  return { ...nic, name, mac, portSettings: settlePort(nic.portSettings), port: "", deviceAddress: "" };
}

function checkSize(
  field: string,
  size: { readonly cpus: number; readonly memoryMib: bigint },
  limits: HostLimits,
): FieldViolation[] {
  const violations: FieldViolation[] = [];
  if (!Number.isInteger(size.cpus) || size.cpus < 1 || size.cpus > limits.cpus) {
    violations.push({
      field: `${field}.cpus`,
      description: `${size.cpus} is not between 1 and the host's ${limits.cpus}`,
    });
  }
  if (size.memoryMib < 1n || size.memoryMib > BigInt(limits.memoryMib)) {
    violations.push({
      field: `${field}.memory_mib`,
      description: `${size.memoryMib} MiB is not between 1 and the host's ${limits.memoryMib} MiB`,
    });
  }
  return violations;
}

function checkNics(field: string, nics: readonly Nic[]): FieldViolation[] {
  if (nics.length > maxNics)
    return [{ field, description: `${nics.length} are more than the ${maxNics} an instance can have` }];
  const each = nics.flatMap((nic, index) => [
    ...checkNic(`${field}[${index}]`, nic),
    ...repeated(
      `${field}[${index}].name`,
      nics.slice(0, index).map(({ name }) => name),
      nic.name,
    ),
    ...repeated(
      `${field}[${index}].mac`,
      nics.slice(0, index).map(({ mac }) => mac),
      nic.mac,
    ),
  ]);
  return each.length > 0 ? each : checkBonds(field, nics);
}

function checkNic(field: string, nic: Nic): FieldViolation[] {
  const lan = nic.lan === "" || isId(nic.lan);
  return [
    ...violationsOf(() => parseInterfaceName(`${field}.name`, nic.name)),
    ...violationsOf(() => parseMac(`${field}.mac`, nic.mac)),
    ...checkAddresses(`${field}.addresses`, nic.addresses),
    ...checkPort(`${field}.port_settings`, nic.portSettings),
    ...(lan ? [] : [{ field: `${field}.lan`, description: `${quote(nic.lan)} is not the id of a lan such as "lan1"` }]),
  ];
}

function checkAddresses(field: string, addresses: readonly string[]): readonly FieldViolation[] {
  if (addresses.length > maxAddresses) {
    return [{ field, description: `${addresses.length} are more than the ${maxAddresses} an interface can have` }];
  }
  return addresses.flatMap((address, index) => violationsOf(() => parseCidr(`${field}[${index}]`, address)));
}

function violationsOf(parse: () => unknown): readonly FieldViolation[] {
  try {
    parse();
    return [];
  } catch (error) {
    if (error instanceof ZorError) return error.violations;
    throw error;
  }
}

function repeated(field: string, earlier: readonly string[], value: string): FieldViolation[] {
  return earlier.includes(value) ? [{ field, description: `${quote(value)} is already used by another NIC` }] : [];
}
