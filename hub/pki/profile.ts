import { type Caller, callerUris } from "../../lib/auth/caller.js";

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

/** DNS name by which a host's certificate is checked; it is never looked up. */
export function hostDnsName(host: string): string {
  return `${host}.host.zor`;
}

/** DNS name by which the hub's certificate is checked; it is never looked up. */
export const hubDnsName = "hub.zor";

/** The certificate profile of a subject. Only hosts and hubs may act as servers. `ipAddresses` are those a hub listens on. */
export function profileOf(subject: Subject, lifetimes: Lifetimes, ipAddresses: readonly string[] = []): Profile {
  const uris = callerUris(subject);
  switch (subject.kind) {
    case "host":
      return {
        uris,
        dnsNames: [hostDnsName(subject.id)],
        ipAddresses: [],
        serverAuth: true,
        lifetimeMs: lifetimes.hostDays * dayMs,
      };
    case "hub":
      return { uris, dnsNames: [hubDnsName], ipAddresses, serverAuth: true, lifetimeMs: lifetimes.hostDays * dayMs };
    case "user":
    case "service":
      return { uris, dnsNames: [], ipAddresses: [], serverAuth: false, lifetimeMs: lifetimes.personDays * dayMs };
  }
}
