import { isIP } from "node:net";

/** Where something listens or is dialled. */
export interface HostPort {
  /** An IP literal without brackets, or a DNS name. */
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
}

/** How an address is written, for messages. */
export const addressForm = '"ip:port" or "name:port", such as 10.0.0.1:7440, [fd00::1]:7440 or hub.lab:7440';

/** Reads "10.0.0.1:7440", "[fd00::1]:7440" or "hub.lab:7440"; undefined when it is none of these. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, v6, plain = "", digits] = match;
  const port = Number(digits);
  if (port > 65_535) return undefined;
  if (v6 !== undefined) return isIP(v6) === 6 ? { host: v6, port } : undefined;
  return isIP(plain) === 4 || isDnsName(plain) ? { host: plain, port } : undefined;
}

/** Whether a text is an address somebody can dial: as {@link parseHostPort} reads it, with a port. */
export function isDialAddress(text: string): boolean {
  return (parseHostPort(text)?.port ?? 0) > 0;
}

/** Whether a text is a name that DNS may know (RFC 1123). What ends in a number is a mistyped IP address. */
export function isDnsName(text: string): boolean {
  if (text.length > 253) return false;
  const labels = text.replace(/\.$/, "").split(".");
  return labels.every((label) => /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/.test(label)) && !/^\d+$/.test(labels.at(-1) ?? "");
}

/** The text of an address. */
export function formatHostPort({ host, port }: HostPort): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
