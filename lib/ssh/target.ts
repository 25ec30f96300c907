import { isIP } from "node:net";
import { invalidArgument } from "../errors.js";
import { quote } from "../names.js";

/** Where to log in, as a person wrote it: what is not said comes from the configuration of ssh. */
export interface SshTarget {
  readonly user?: string;
  /** Name, alias of the configuration, or IP address (without brackets). */
  readonly host: string;
  readonly port?: number;
}

const userPattern = /^[A-Za-z0-9_][A-Za-z0-9_.+@-]{0,63}$/;
const hostPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/;

/**
 * Reads "[user@]host[:port]" or "ssh://[user@]host[:port]"; IPv6 addresses with a port stand in brackets. Nothing of it can be taken for
 * an option by a program. @throws {ZorError} INVALID_ARGUMENT that names `field`.
 */
export function parseTarget(field: string, text: string): SshTarget {
  const rest = text.replace(/^ssh:\/\//, "").replace(/\/$/, "");
  const at = rest.lastIndexOf("@");
  const user = at === -1 ? undefined : rest.slice(0, at);
  if (user?.includes(":") === true) {
    throw invalidArgument(
      field,
      "a password in it would be seen by everybody on this machine; leave it out, it is asked for",
    );
  }
  if (user !== undefined && !userPattern.test(user))
    throw invalidArgument(field, `${quote(user)} is not the name of a user`);
  const { host, port } = splitPort(field, rest.slice(at + 1));
  if (isIP(host) === 0 && !hostPattern.test(host)) {
    throw invalidArgument(field, `${quote(text)} is not [user@]host[:port]`);
  }
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port }) };
}

function splitPort(field: string, text: string): { readonly host: string; readonly port: number | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) return { host: bracketed[1] ?? "", port: parsePort(field, bracketed[2]) };
  // More than one colon without brackets is an IPv6 address.
  const colon = text.indexOf(":");
  if (colon === -1 || text.includes(":", colon + 1)) return { host: text, port: undefined };
  return { host: text.slice(0, colon), port: parsePort(field, text.slice(colon + 1)) };
}

function parsePort(field: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port > 0 && port < 65_536) return port;
  throw invalidArgument(field, `${quote(text)} is not a port (1 to 65535)`);
}

/** The form that {@link parseTarget} reads: "user@host:port". */
export function formatTarget({ user, host, port }: SshTarget): string {
  const place = isIP(host) === 6 && port !== undefined ? `[${host}]` : host;
  return `${user === undefined ? "" : `${user}@`}${place}${port === undefined ? "" : `:${port}`}`;
}
