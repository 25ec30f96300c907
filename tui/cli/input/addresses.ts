import { isIP } from "node:net";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

/** Checks an "ip:port" or "[ip6]:port" address and returns it. */
export function parseAddress(option: string, text: string): string {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const family = isIP(match?.[1] ?? match?.[2] ?? "");
  const port = Number(match?.[3]);
  const fits = match?.[1] === undefined ? family === 4 : family === 6;
  if (fits && port >= 1 && port <= 65_535) return text;
  throw invalidArgument(option, `${quote(text)} is not an address such as 192.0.2.7:7440 or [2001:db8::7]:7440`);
}
