import { status } from "@grpc/grpc-js";
import { unavailable, ZorError } from "../errors.js";
import { foreignWords } from "../foreign-words.js";
import { lookAtCertificate, trouble } from "../tls/certificate-trouble.js";
import { certificateFacts } from "../tls/identity.js";
import { inProjectWords } from "./library-words.js";
import { type ConnectionOptions, placeOf } from "./server-identity.js";
import { fromServiceError } from "./status-codec.js";

/** Said where nothing else is known. */
const cannotOpen = "the connection cannot be opened";

/** Nobody was there to show a certificate. */
const notReached = /ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOENT|name cannot be resolved/;

/** The error of a call, and when it comes of a certificate's dates, what is wrong with them, on which side. */
export async function explain(error: unknown, options: ConnectionOptions): Promise<ZorError> {
  const translated = translate(error, placeOf(options));
  const trouble = translated.code === status.UNAVAILABLE ? options.carrier?.trouble : undefined;
  return trouble === undefined ? withDates(translated, options) : carried(trouble, options);
}

/** The error of a connection that is lost or never came up; `cause` is what its socket said. */
export function lostConnection(address: string, cause: unknown): ZorError {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return unresolved(address, cause);
  const why = cause === undefined ? "the connection was lost" : foreignWords(cause, cannotOpen);
  return unavailable("NO_CONNECTION", address, `cannot reach ${address}: ${why}`, cause);
}

/** An error of a connection that never was, and when a certificate's dates are the cause, what is wrong with them, on which side. */
export async function withDates(error: ZorError, options: ConnectionOptions): Promise<ZorError> {
  const { address, identity, serverName } = options;
  if (error.reason !== "NO_CONNECTION" || notReached.test(error.message)) return error;
  const own = identity.certificatePem === "" ? undefined : certificateFacts(identity.certificatePem);
  const now = new Date();
  const mine = own === undefined ? undefined : trouble({ whose: "this side's", facts: own }, now);
  const shown = mine === undefined ? await lookAtCertificate(address, serverName) : undefined;
  const theirs = shown === undefined ? undefined : trouble({ whose: `${placeOf(options)}'s`, facts: shown }, now);
  const why = mine ?? theirs;
  if (why === undefined) return error;
  const place = placeOf(options);
  return unavailable("CERTIFICATE_DATES", place, `cannot reach ${place}: ${why}`, error);
}

/** What carries a connection failed, not the server at its end: its own words, and whom they keep from being reached. */
export function carried(trouble: ZorError, options: ConnectionOptions): ZorError {
  const place = placeOf(options);
  return unavailable(trouble.reason, place, `cannot reach ${place}: ${trouble.message}`, trouble);
}

function unresolved(address: string, cause: unknown): ZorError {
  const message = `cannot reach ${address}: its name cannot be resolved; check it, and the machine's DNS`;
  return unavailable("NO_CONNECTION", address, message, cause);
}

function translate(error: unknown, address: string): ZorError {
  const translated = fromServiceError(error, address);
  if (/^Name resolution failed/.test(translated.message)) {
    const message = `cannot reach ${address}: its name cannot be resolved; check it, and the machine's DNS`;
    return unavailable("NO_CONNECTION", address, message, error);
  }
  if (translated.code === status.DEADLINE_EXCEEDED) return inWords(translated, address);
  // grpc-js speaks of "No connection established" and names addresses in its own way; say it as the rest of the project does.
  if (translated.code !== status.UNAVAILABLE || translated.reason !== "UNAVAILABLE")
    return inProjectWords(translated, address);
  return unavailable("NO_CONNECTION", address, `cannot reach ${address}: ${causeOf(translated.message)}`, error);
}

// "No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.1:7443. Resolution note: " without its wrapping.
function causeOf(message: string): string {
  const cause = message
    .replace(/^No connection established\. Last error: (?:Error: )?/, "")
    .replace(/\.? *Resolution note:.*$/s, "");
  return foreignWords(new Error(cause), cannotOpen);
}

// "Deadline exceeded after 2.504s,LB pick: 0.001s,remote_addr=10.0.0.1:7443" in words, without how grpc-js spent the time.
function inWords(error: ZorError, address: string): ZorError {
  const { reason, code, resource, metadata } = error;
  const message = error.message.replace(
    /^Deadline exceeded after ([\d.]+)s.*$/s,
    (_, seconds: string) => `${address} did not answer within ${Number(Number(seconds).toFixed(1))} s`,
  );
  return new ZorError({
    reason,
    code,
    message,
    metadata,
    cause: error,
    ...(resource === undefined ? {} : { resource }),
  });
}
