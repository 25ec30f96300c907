import { status } from "@grpc/grpc-js";
import { invalidArgument, notFound, ZorError } from "../../../lib/errors.js";
import { findKind, kindNamed } from "../../../lib/kinds/kinds.js";
import { parseId, parseName, quote } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import { placeOfTarget } from "../../client/captures/place-of-target.js";
import { idOf, shortName } from "../../kit/resource-name.js";
import { listKind } from "../kinds.js";
import { resolveName } from "../resolve.js";
import type { Session } from "../session.js";

/** Kinds that frames pass, by their singular. */
const kinds = ["instance", "lan", "wire", "a2b", "tap", "phy", "nat", "link"] as const;
type TargetKind = (typeof kinds)[number];

/** Targets as the API has them, by host. */
export type HostTargets = ReadonlyMap<string, readonly string[]>;

/** Where frames of links are captured that have two ends, and the host of names without one. */
export interface TargetOptions {
  readonly at?: string | undefined;
  readonly host?: string | undefined;
}

/**
 * What a person wrote as targets: "alpha/c1:eth0" (a NIC), "alpha/c1" (all NICs of an instance), "alpha/lan1", "demo" (a link), with
 * "lan:", "link:" or another kind before it where several have the name, "device:alpha/eth0" (a device of the host), or full names.
 * @throws {ZorError}
 */
export async function findTargets(
  session: Session,
  texts: readonly string[],
  options: TargetOptions,
): Promise<HostTargets> {
  const found = new Map<string, string[]>();
  for (const text of texts) {
    const named = await findTarget(session, text, options);
    const at = options.at === undefined ? undefined : parseId("--at", options.at);
    const { host, target } = await placeOfTarget(await session.connect(), named, { at, signal: session.io.signal });
    const targets = found.get(host) ?? [];
    if (!targets.includes(target)) targets.push(target);
    found.set(host, targets);
  }
  return found;
}

async function findTarget(session: Session, text: string, { host }: TargetOptions): Promise<string> {
  if (/^(hosts|links)\//.test(text)) return checkFull(text);
  const [first = "", ...rest] = text.split(":");
  const after = rest.join(":");
  if (first === "device") return device(after, host);
  const kind = rest.length === 0 ? undefined : findKind(first)?.singular;
  if (kind !== undefined && isTarget(kind)) return await resolveName(session, kindNamed(kind), after, host);
  const nic = /^(.+):([^:/]+)$/.exec(text) ?? /^([^/]+\/[^/]+)\/([^/]+)$/.exec(text);
  if (nic !== null) {
    const instance = await resolveName(session, kindNamed("instance"), nic[1] ?? "", host);
    return `${instance}/nics/${parseId("target", nic[2] ?? "")}`;
  }
  return await byName(session, text, host);
}

function isTarget(kind: string): kind is TargetKind {
  return (kinds as readonly string[]).includes(kind);
}

function checkFull(text: string): string {
  if (!/^hosts\/[^/]+\/devices\/[^/]+$/.test(text)) parseName("target", text);
  return text;
}

function device(text: string, host: string | undefined): string {
  const [first = "", second] = text.split("/");
  const [on, name] = second === undefined ? [host ?? "", first] : [first, second];
  if (on === "" || name === "") throw invalidArgument("target", 'a device is given as "device:HOST/DEVICE"');
  return `hosts/${parseId("host", on)}/devices/${name}`;
}

/** A name that says no kind: what there is of that name. */
async function byName(session: Session, text: string, host: string | undefined): Promise<string> {
  const [first = "", second] = text.split("/");
  const id = parseId("target", second ?? first);
  const on = second === undefined ? host : first;
  const connection = await session.connect();
  const options = session.readOptions();
  const names = await Promise.all(
    kinds.map(async (singular) => {
      if (singular === "link" && on !== undefined) return [];
      const listing = await listKind(connection, kindNamed(singular), on === undefined ? {} : { host: on }, options);
      return listing.resources.map(({ value }) => value.name).filter((name) => idOf(name) === id);
    }),
  );
  const all = names.flat();
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  if (only === undefined)
    throw notFound(text, "list what there is with: zor get instances, lans, wires, a2bs, taps, phys, nats or links");
  const candidates = kinds.flatMap((kind, index) => (names[index] ?? []).map((name) => `${kind}:${shortName(name)}`));
  throw new ZorError({
    reason: "AMBIGUOUS_NAME",
    code: status.INVALID_ARGUMENT,
    message: `${all.length} things are called ${quote(text)}: say which, ${listed(candidates, 8, "or")}`,
    metadata: { candidates: candidates.slice(0, 8).join(",") },
  });
}
