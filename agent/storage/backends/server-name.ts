import { isIP } from "node:net";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { isDnsName } from "../../../lib/socket-address.js";

/** @throws {ZorError} INVALID_ARGUMENT when it is neither a name nor an address of a server. */
export function checkServer(field: string, server: string): void {
  if (isIP(server) !== 0 || isDnsName(server)) return;
  throw invalidArgument(field, `${quote(server)} is neither the name nor the address of a server`);
}

/** A server as it stands before a ":"; pure. */
export function bracketed(server: string): string {
  return isIP(server) === 6 ? `[${server}]` : server;
}
