import { once } from "node:events";
import { createServer } from "node:net";
import { failedPrecondition, messageOf, permissionDenied, resourceExhausted } from "../../../lib/errors.js";
import { type AllowedListen, mayListen } from "../../../lib/listen-policy.js";
import { formatHostPort, type HostPort, parseHostPort } from "../../../lib/socket-address.js";

/** What is known of places to listen at. */
export interface PlaceOptions {
  /** Resource name of the expose. */
  readonly name: string;
  /** As it is asked for, "127.0.0.1:8080"; port 0: a free one, "": of the first address that is allowed. */
  readonly listen: string;
  readonly allowed: readonly AllowedListen[];
  /** Whether the hub itself listens there. */
  readonly isOwn: (address: string) => boolean;
  /** Name of another expose that does; undefined: none. */
  readonly holderOf: (address: string) => string | undefined;
}

/** Ports that no system gives to programs that ask for any: an expose has its port back after the hub was away. */
const [firstQuiet, lastQuiet] = [20_000, 32_767] as const;
/** Free ports are looked for by chance, so many times. */
const maxTries = 200;

/**
 * Where an expose will listen: tried, so that whoever asks is told what is wrong with it.
 * @throws {ZorError} PERMISSION_DENIED, FAILED_PRECONDITION, RESOURCE_EXHAUSTED
 */
export async function choosePlace(options: PlaceOptions): Promise<string> {
  const { name, listen, allowed } = options;
  const wanted = parseHostPort(listen) ?? { host: allowed[0]?.address ?? "", port: 0 };
  if (wanted.port === 0) return formatHostPort(await freePlace(options, wanted.host));
  const place = formatHostPort(wanted);
  if (!mayListen(allowed, wanted.host, wanted.port)) throw forbidden(name, place);
  const holder = options.isOwn(place) ? "the hub itself" : options.holderOf(place);
  const why = holder === undefined ? await whyNot(wanted) : `${holder} listens there`;
  if (why === undefined) return place;
  throw failedPrecondition("CANNOT_LISTEN", name, `${name}: the hub cannot listen at ${place}: ${why}; choose another`);
}

/** Whether two "ip:port"s cannot both be listened at. */
export function clash(one: string, other: string): boolean {
  const [left, right] = [parseHostPort(one), parseHostPort(other)];
  if (left === undefined || right === undefined || left.port !== right.port) return false;
  return left.host === right.host || [left.host, right.host].includes("0.0.0.0");
}

/** Why something cannot be listened at, in words. */
export function whyNotListen(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "EADDRINUSE":
      return "another program listens there";
    case "EADDRNOTAVAIL":
      return "the hub's machine does not have that address";
    case "EACCES":
      return "the hub may not listen there: ports below 1024 need root";
    default:
      return messageOf(error);
  }
}

async function freePlace(options: PlaceOptions, host: string): Promise<HostPort> {
  const { name, allowed, isOwn, holderOf } = options;
  const ranges = allowed.filter(({ address }) => address === host);
  if (ranges.length === 0) throw forbidden(name, host === "" ? "any address" : host);
  const quiet = ranges
    .map(({ first, last }) => ({ first: Math.max(first, firstQuiet), last: Math.min(last, lastQuiet) }))
    .filter(({ first, last }) => first <= last);
  for (let number = 0; number < maxTries; number += 1) {
    const port = anyPort(number < maxTries / 2 && quiet.length > 0 ? quiet : ranges);
    const place = formatHostPort({ host, port });
    if (isOwn(place) || holderOf(place) !== undefined) continue;
    const why = await whyNot({ host, port });
    if (why === undefined) return { host, port };
    if (number === maxTries - 1) throw noneFree(name, host, why);
  }
  throw noneFree(name, host, "exposes have them all");
}

function anyPort(ranges: readonly { readonly first: number; readonly last: number }[]): number {
  const { first, last } = ranges[Math.floor(Math.random() * ranges.length)] ?? { first: 1024, last: 65_535 };
  return first + Math.floor(Math.random() * (last - first + 1));
}

async function whyNot({ host, port }: HostPort): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, "listening");
  } catch (error) {
    return whyNotListen(error);
  }
  server.close();
  await once(server, "close");
  return undefined;
}

function noneFree(name: string, host: string, why: string): Error {
  return resourceExhausted("NO_FREE_PORT", `${name}: found no free port of ${host} to listen at: ${why}`, name);
}

function forbidden(name: string, place: string): Error {
  return permissionDenied(`${name}: the hub lets no expose listen at ${place}; its setting exposeListen could`, name);
}
