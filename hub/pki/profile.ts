import { type Caller, callerUris } from "../../lib/auth/caller.js";
import { hostServerName, hubServerName } from "../../lib/tls/join.js";

/** Whom a certificate is for. */
export type Subject = Pick<Caller, "kind" | "id" | "role">;

/** Lifetimes of leaf certificates in days. */
export interface Lifetimes {
  readonly hostDays: number;
  readonly personDays: number;
}

/** What the hub puts into a certificate; nothing of it comes from the request. */
export interface Profile {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly serverAuth: boolean;
  readonly lifetimeMs: number;
}

const dayMs = 24 * 60 * 60 * 1000;

/** The certificate profile of a subject. Only hosts and hubs may act as servers. `ipAddresses` are those a hub listens on. */
export function profileOf(subject: Subject, lifetimes: Lifetimes, ipAddresses: readonly string[] = []): Profile {
  const uris = callerUris(subject);
  switch (subject.kind) {
    case "host":
      return {
        uris,
        dnsNames: [hostServerName(subject.id)],
        ipAddresses: [],
        serverAuth: true,
        lifetimeMs: lifetimes.hostDays * dayMs,
      };
    case "hub":
      return { uris, dnsNames: [hubServerName], ipAddresses, serverAuth: true, lifetimeMs: lifetimes.hostDays * dayMs };
    case "user":
    case "service":
      return { uris, dnsNames: [], ipAddresses: [], serverAuth: false, lifetimeMs: lifetimes.personDays * dayMs };
  }
}
