import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { type ConnectionOptions, connect } from "node:tls";
import { parseHostPort } from "../socket-address.js";
import { timeLimit } from "../time-limit.js";
import { type CertificateFacts, certificateFacts } from "./identity.js";

/** Whose certificate it is, in words: "this machine's own", "the one that 10.0.0.1:7440 shows". */
export interface DatedCertificate {
  readonly whose: string;
  readonly facts: CertificateFacts;
}

/**
 * What is wrong with a certificate's dates by the clock of this machine: both times, whose certificate, and what heals it. Undefined: nothing.
 */
export function trouble({ whose, facts }: DatedCertificate, now: Date): string | undefined {
  const { notBefore, notAfter, uris } = facts;
  const clock = `the clock of this machine says ${now.toISOString()}`;
  const [identity = "no name"] = uris;
  if (now < notBefore) {
    return `${whose} certificate (${identity}) is valid from ${notBefore.toISOString()}, and ${clock}: one of the two clocks is wrong by ${span(notBefore, now)} or more; compare "date -u" on both machines and set the wrong one`;
  }
  if (now <= notAfter) return undefined;
  return `${whose} certificate (${identity}) expired at ${notAfter.toISOString()}, ${span(now, notAfter)} ago, as ${clock}; if that is right: ${remedyFor(identity)}`;
}

/** What gives an identity a new certificate. */
function remedyFor(identity: string): string {
  const [, , kind, id = ""] = identity.split("/");
  if (kind === "host") {
    return `stop the agent on that host and run there "zor agent join TOKEN", with a token from "zor token create --host ${id}"`;
  }
  if (kind === "hub") return "restart the hub, which makes itself another";
  return `run "zor join TOKEN", with a token that an admin makes with "zor token create"`;
}

function span(later: Date, earlier: Date): string {
  const seconds = Math.round((later.getTime() - earlier.getTime()) / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

const lookMs = 2000;

/** Looks at the certificate that a server shows, whatever it is worth; nothing is sent. Undefined when there is none to be seen. */
export async function lookAtCertificate(address: string, serverName: string): Promise<CertificateFacts | undefined> {
  const place = address.startsWith("unix:") ? { path: address.slice("unix:".length) } : parseHostPort(address);
  if (place === undefined) return undefined;
  const options: ConnectionOptions = {
    ...place,
    servername: serverName,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    // Only to be looked at: no connection that is used is made like this.
    rejectUnauthorized: false,
  };
  const socket = connect(options);
  socket.on("error", () => undefined);
  try {
    await once(socket, "secureConnect", { signal: timeLimit(lookMs) });
    const certificate: X509Certificate | undefined = socket.getPeerX509Certificate();
    return certificate === undefined ? undefined : certificateFacts(certificate.raw);
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}
