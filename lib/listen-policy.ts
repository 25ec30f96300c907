import { isIPv4 } from "node:net";
import { z } from "zod";

/** Ports of an address of this machine that what people ask for may listen on. */
export interface AllowedListen {
  /** IPv4 address; "0.0.0.0": all at once. */
  readonly address: string;
  readonly first: number;
  readonly last: number;
}

const pattern = /^(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5})(?:-(\d{1,5}))?)?$/;
/** Ports below belong to the services of the machine. */
const firstFree = 1024;
const lastPort = 65_535;

/** "192.0.2.1" allows its ports from 1024 on; "192.0.2.1:80" and "192.0.2.1:80-90" those. */
export const allowedListenSchema = z.string().transform((text, context): AllowedListen => {
  const [, address = "", from = String(firstFree), to] = pattern.exec(text) ?? [];
  const first = Number(from);
  const last = to === undefined ? (text.includes(":") ? first : lastPort) : Number(to);
  if (isIPv4(address) && first >= 1 && first <= last && last <= lastPort) return { address, first, last };
  context.addIssue({
    code: "custom",
    message:
      'expected an IPv4 address of this machine, with ports or without: "192.0.2.1", "192.0.2.1:80" or "192.0.2.1:8000-8999"',
  });
  return z.NEVER;
});

/** What is allowed where the settings say nothing: only programs on the machine get in. */
export const usualListen: readonly AllowedListen[] = [{ address: "127.0.0.1", first: firstFree, last: lastPort }];

/** Whether a port of an address may be listened on. */
export function mayListen(allowed: readonly AllowedListen[], address: string, port: number): boolean {
  return allowed.some((each) => each.address === address && port >= each.first && port <= each.last);
}
