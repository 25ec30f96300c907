import { isIP, isIPv4 } from "node:net";
import { toMs } from "../../../lib/duration.js";
import { type FieldViolation, invalidArgument, invalidFields } from "../../../lib/errors.js";
import { isId, parseOnHost, quote } from "../../../lib/names.js";
import { parseHostPort } from "../../../lib/socket-address.js";
import { type Expose, ExposeSpec } from "../../../proto/gen/zor/v1/expose.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";

const maxConnections = 1024;
const usualConnections = 256;
const [minIdleMs, maxIdleMs, usualIdleMs] = [1000, 7 * 24 * 60 * 60 * 1000, 24 * 60 * 60 * 1000] as const;

/** Checks everything of an expose that can be told from the request alone. @throws {ZorError} INVALID_ARGUMENT with every fault. */
export function checkExposeFields(name: string, wanted: Expose): ExposeSpec {
  const spec: ExposeSpec = wanted.spec ?? ExposeSpec.fromPartial({});
  if (spec.instance === "") throw invalidArgument("expose.spec.instance", "must be given", name);
  parseOnHost("expose.spec.instance", spec.instance, "instances");
  const { port, address, nic, listen, maxConnections: most, idleTimeout } = spec;
  const idleMs = toMs(idleTimeout);
  const violations: FieldViolation[] = [];
  const check = (isGood: boolean, field: keyof ExposeSpec | "max_connections" | "idle_timeout", why: string): void => {
    if (!isGood) violations.push({ field: `expose.spec.${field}`, description: why });
  };
  check(port >= 1 && port <= 65_535, "port", "must be from 1 to 65535");
  check(address === "" || (isIP(address) !== 0 && !address.includes("%")), "address", "must be an IP address");
  check(nic === "" || isId(nic), "nic", `${quote(nic)} is not the name of a NIC`);
  check(nic === "" || !isLoopback(address), "address", "is a loopback address, which is not reached through a NIC");
  check(listen === "" || isPlace(listen), "listen", 'must be an IPv4 address with a port, such as "127.0.0.1:8080"');
  check(most >= 0 && most <= maxConnections, "max_connections", `must be from 0 to ${maxConnections}`);
  check(
    idleTimeout === undefined || (idleMs >= minIdleMs && idleMs <= maxIdleMs),
    "idle_timeout",
    "must be from 1 second to 7 days",
  );
  if (violations.length > 0) throw invalidFields(violations, name);
  return spec;
}

/** Checks that a change touches only what can be changed. @throws {ZorError} INVALID_ARGUMENT. */
export function checkExposeChange(name: string, before: ExposeSpec, after: ExposeSpec): void {
  const violations = (["instance", "listen"] as const)
    .filter((field) => before[field] !== after[field])
    .map((field) => ({
      field: `expose.spec.${field}`,
      description: "cannot be changed; delete the expose and create it anew",
    }));
  if (violations.length > 0) throw invalidFields(violations, name);
}

/** Why an instance must not be connected to by an expose: only its own server may be. "": it may be. */
export function refusalOf({ instance, address, nic }: ExposeSpec, there: Instance): string {
  const nics = there.spec?.nics ?? [];
  if (nic !== "" && !nics.some(({ name }) => name === nic)) {
    const names = nics.map(({ name }) => name).join(", ");
    return `${instance} has no NIC ${quote(nic)}: it has ${names === "" ? "none" : names}`;
  }
  if (address === "" || isLoopback(address)) return "";
  const own = nics.flatMap(({ addresses }) => addresses.map((cidr) => cidr.replace(/\/.*$/, "")));
  if (own.includes(address)) return "";
  const known = own.length === 0 ? "none" : own.join(", ");
  return `${address} is not an address of ${instance}: its specification gives its NICs ${known}`;
}

/** How many connections there may be at a time, and how long each may be silent. */
export function limitsOf({ maxConnections: most, idleTimeout }: ExposeSpec): {
  readonly most: number;
  readonly idleMs: number;
} {
  return { most: most || usualConnections, idleMs: toMs(idleTimeout) || usualIdleMs };
}

function isLoopback(address: string): boolean {
  return isIPv4(address) ? address.startsWith("127.") : address === "::1";
}

function isPlace(listen: string): boolean {
  const place = parseHostPort(listen);
  return place !== undefined && isIPv4(place.host);
}
