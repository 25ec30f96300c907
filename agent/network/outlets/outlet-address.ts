import { isIP } from "node:net";
import { parseHostPort } from "../../../lib/socket-address.js";

/** Where a controller is. */
export type ControllerAddress =
  | { readonly kind: "tcp" | "ssl"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Longest path of a unix socket, bytes. */
const maxPath = 107;

/** Reads "tcp:10.0.0.9:6653", "ssl:[fd00::9]:6653" or "unix:/run/controller.sock"; undefined: it is none of these; pure. */
export function parseController(target: string): ControllerAddress | undefined {
  const [, kind = "", rest = ""] = /^(tcp|ssl|unix):(.*)$/.exec(target) ?? [];
  if (kind === "unix") {
    const isPath = /^\/[\x21-\x7e]+$/.test(rest) && Buffer.byteLength(rest) <= maxPath;
    return isPath && !rest.split("/").includes("..") ? { kind, path: rest } : undefined;
  }
  if (kind !== "tcp" && kind !== "ssl") return undefined;
  const address = parseAddress(rest);
  return address === undefined ? undefined : { kind, ...address };
}

/** Reads "10.0.0.9:2055" or "[fd00::9]:2055"; names are none: whoever answers for them could lead elsewhere later; pure. */
export function parseAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  const address = parseHostPort(text);
  return address !== undefined && address.port > 0 && isIP(address.host) !== 0 ? address : undefined;
}
