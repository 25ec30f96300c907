import type { PeerCertificate } from "node:tls";
import { status } from "@grpc/grpc-js";
import { Role } from "../../proto/gen/zor/v1/token_service.js";
import { ZorError } from "../errors.js";
import { isId } from "../names.js";

/** Kinds of identities a certificate can hold. */
export type CallerKind = "user" | "service" | "host" | "hub";

/** Who makes a call, as its certificate (or, forwarded by a hub, the hub) says. */
export interface Caller {
  /** URI such as "zor://user/ana". */
  readonly identity: string;
  readonly kind: CallerKind;
  readonly id: string;
  readonly role: Role;
  /** Serial number of the certificate, upper-case hexadecimal; unset when a hub named the caller. */
  readonly serial?: string;
}

/** Metadata key in which a hub tells an agent on whose behalf it calls: "zor://user/ana zor://role/operator". */
export const forwardedCallerKey = "zor-caller";
/** Metadata key in which it tells where that caller called from: "192.0.2.7:50122". */
export const forwardedPeerKey = "zor-caller-address";

const identityPattern = /^zor:\/\/(user|service|host|hub)\/([^/]+)$/;
const roleByName: Readonly<Record<string, Role>> = {
  viewer: Role.ROLE_VIEWER,
  operator: Role.ROLE_OPERATOR,
  admin: Role.ROLE_ADMIN,
};

/** Short name of a role, as it stands in certificates and on the command line. */
export function roleName(role: Role): string {
  return Object.keys(roleByName).find((name) => roleByName[name] === role) ?? "none";
}

/** The role of that short name, if there is one. */
export function findRole(name: string): Role | undefined {
  return Object.hasOwn(roleByName, name) ? roleByName[name] : undefined;
}

/** The URI SANs of a certificate with which a caller of this kind, id and role is known. */
export function callerUris(caller: Pick<Caller, "kind" | "id" | "role">): string[] {
  const identity = `zor://${caller.kind}/${caller.id}`;
  return caller.role === Role.ROLE_UNSPECIFIED ? [identity] : [identity, `zor://role/${roleName(caller.role)}`];
}

/** Reads a caller from URIs such as {@link callerUris} gives; undefined unless there is exactly one identity. */
export function findCaller(uris: readonly string[]): Caller | undefined {
  const identities = uris.map((uri) => identityPattern.exec(uri)).filter((match) => match !== null);
  const [match] = identities;
  if (identities.length !== 1 || match === undefined) return undefined;
  const [identity, kind, id] = match;
  if (kind === undefined || id === undefined || !isId(id)) return undefined;
  const roles = uris
    .filter((uri) => uri.startsWith("zor://role/"))
    .map((uri) => findRole(uri.slice("zor://role/".length)));
  // Hubs act with the rights of those they act for, and for themselves with all; hosts have none over others.
  const role =
    kind === "hub" ? Role.ROLE_ADMIN : kind === "host" ? Role.ROLE_UNSPECIFIED : (roles[0] ?? Role.ROLE_UNSPECIFIED);
  return { identity, kind: kind as CallerKind, id, role };
}

/** Reads the caller from a verified client certificate. @throws {ZorError} UNAUTHENTICATED when it holds no Zorhub identity. */
export function callerOfCertificate(
  certificate: Pick<PeerCertificate, "subjectaltname" | "serialNumber"> | undefined,
): Caller {
  const caller = certificate === undefined ? undefined : findCaller(urisOf(certificate));
  if (caller !== undefined && certificate !== undefined) return { ...caller, serial: certificate.serialNumber };
  throw new ZorError({
    reason: "NO_IDENTITY",
    code: status.UNAUTHENTICATED,
    message: "the client certificate holds no Zorhub identity; join the hub to get one",
  });
}

/** The URI subject alternative names of a certificate as Node prints them ("URI:a, DNS:b"). */
export function urisOf(certificate: Pick<PeerCertificate, "subjectaltname">): string[] {
  // Node quotes values with special characters as JSON strings; identities never need that, so quoted ones do not match.
  return (certificate.subjectaltname ?? "")
    .split(", ")
    .filter((name) => name.startsWith("URI:"))
    .map((name) => name.slice("URI:".length));
}

/** The caller a call is made for: the one a hub names, otherwise the one of the certificate. */
export function effectiveCaller(direct: Caller, forwarded: string | undefined): Caller {
  if (forwarded === undefined) return direct;
  const named = direct.kind === "hub" ? findCaller(forwarded.split(" ")) : undefined;
  if (named !== undefined && named.kind !== "hub") return named;
  throw new ZorError({
    reason: "FORWARDED_CALLER",
    code: status.UNAUTHENTICATED,
    message: `${direct.identity} may not call on behalf of others`,
  });
}
