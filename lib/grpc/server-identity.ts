import { createSecureContext, type SecureContext } from "node:tls";
import { urisOf } from "../auth/caller.js";
import type { ZorError } from "../errors.js";
import type { Identity } from "../tls/identity.js";

/** What carries a connection whose address is only a door here, to another machine. */
export interface Carrier {
  /** Where it leads, for people: "127.0.0.1:7440 through ops@rack7". */
  readonly place: string;
  /** Why it carries nothing just now; undefined: it does. */
  readonly trouble: ZorError | undefined;
  /** Ends it. Idempotent. */
  close(): void;
}

/** Where and as whom to connect. */
export interface ConnectionOptions {
  /** "ip:port", "[ip6]:port", "name:port" or "unix:/path". */
  readonly address: string;
  readonly identity: Identity;
  /** DNS name the server's certificate must hold: "hub.zor" or "alpha.host.zor". */
  readonly serverName: string;
  /** URI the server's certificate must hold, for example "zor://host/alpha"; default: any. */
  readonly serverUri?: string;
  /** Whether a server certificate with this serial number (upper-case hexadecimal) is revoked; default: none is. */
  readonly isRevoked?: (serial: string) => boolean;
  /** Ends with the connection. */
  readonly carrier?: Carrier | undefined;
}

/** Those of one identity: parsing its key and certificates costs as much as a handshake, and a hub has thousands of connections. */
const contexts = new WeakMap<Identity, SecureContext>();

/** The TLS context of clients with an identity: TLS 1.3, servers of its CA only. */
export function contextOf(identity: Identity): SecureContext {
  const known = contexts.get(identity);
  if (known !== undefined) return known;
  // A joiner has no certificate yet.
  const own = identity.keyPem === "" ? {} : { key: identity.keyPem, cert: identity.certificatePem };
  const made = createSecureContext({ ca: identity.caPem, ...own, minVersion: "TLSv1.3" });
  contexts.set(identity, made);
  return made;
}

/** What is looked at of a server's certificate. */
export interface CheckedCertificate {
  /** "DNS:alpha.host.zor, URI:zor://host/alpha" */
  readonly subjectaltname?: string;
  /** Upper-case hexadecimal. */
  readonly serialNumber: string;
}

/** Why a server is not the one that is wanted. Node has verified the chain; the name decides which member of the fleet this is. */
export function checkServer(options: ConnectionOptions, certificate: CheckedCertificate): Error | undefined {
  const names = (certificate.subjectaltname ?? "").split(", ");
  if (!names.includes(`DNS:${options.serverName}`)) {
    return new Error(`the certificate of ${placeOf(options)} is not for ${options.serverName}`);
  }
  if (options.serverUri !== undefined && !urisOf(certificate).includes(options.serverUri)) {
    return new Error(`the certificate of ${placeOf(options)} is not ${options.serverUri}'s`);
  }
  if (options.isRevoked?.(certificate.serialNumber) === true) {
    return new Error(`the certificate of ${placeOf(options)} has been revoked`);
  }
  return undefined;
}

/** Where a connection leads, for people. */
export function placeOf({ address, carrier }: ConnectionOptions): string {
  return carrier?.place ?? address;
}
