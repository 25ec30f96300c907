import { status } from "@grpc/grpc-js";
import { invalidArgument, notFound, ZorError } from "../../lib/errors.js";
import type { CallOptions, Connection } from "../../lib/grpc/connection.js";
import { type Kind, kindNamed } from "../../lib/kinds/kinds.js";
import { type AnyResource, pack } from "../../lib/kinds/resource.js";
import { findStandardMethod } from "../../lib/kinds/verbs.js";
import { quote } from "../../lib/names.js";
import { listed } from "../../lib/words.js";
import type { Fleet } from "../kit/fleet/fleet.js";
import { sufferersFrom } from "../kit/impact.js";
import { shortName } from "../kit/resource-name.js";
import { toRow } from "../kit/row.js";
import { escapeText } from "../kit/text/escape.js";
import { emptyFleet } from "./fleet.js";
import { getResource, listKind } from "./kinds.js";
import type { Session } from "./session.js";

/** A resource that is to be deleted, and what that takes with it. */
export interface Deletion {
  readonly kind: Kind;
  readonly name: string;
  /** Why it has to be forced; undefined: it need not be. */
  readonly whyForced: string | undefined;
  /** Escaped lines for people. */
  readonly lines: readonly string[];
}

/** Looks at a resource before it is deleted. @throws {ZorError} NOT_FOUND; INVALID_ARGUMENT for kinds that cannot be deleted. */
export async function planDeletion(session: Session, kind: Kind, name: string): Promise<Deletion> {
  if (findStandardMethod(kind.singular, "delete") === undefined) {
    throw invalidArgument("kind", `${quote(kind.plural)} cannot be deleted`);
  }
  const resource = await getResource(await session.connect(), kind, name, session.readOptions());
  if (resource === undefined) throw notFound(name);
  const fleet = await fleetAround(session, resource);
  const row = toRow(resource.kind, name, resource.value, Date.now());
  const action = fleet.kinds.get(resource.kind).actions.find(({ verb }) => verb === "delete");
  // What an agent or the hub would refuse, it refuses itself.
  const losses = sufferersFrom(fleet, row);
  const text = action?.whyNot?.(row, fleet) ?? action?.effect(row, fleet) ?? "is gone for good";
  return {
    kind,
    name,
    whyForced: action?.whyForced?.(row, fleet) ?? (losses.length === 0 ? undefined : listed(losses, 3)),
    lines: [`${kind.singular} ${shortName(name)}: ${text}`, ...losses].map(escapeText),
  };
}

/** As much of the fleet as tells what goes with a resource: of what others live on, everything. */
async function fleetAround(session: Session, { kind }: AnyResource): Promise<Fleet> {
  const nowMs = Date.now();
  const fleet = emptyFleet(nowMs);
  if (fleet.kinds.get(kind).presence === undefined) return fleet;
  const connection = await session.connect();
  const others = fleet.kinds.all.filter(
    ({ counted, suffersFrom }) => counted !== undefined || suffersFrom !== undefined,
  );
  const listings = await Promise.all(
    others.map((other) => listKnown(connection, kindNamed(other.kind), session.readOptions())),
  );
  for (const resource of listings.flat()) {
    fleet.apply({ $case: "upsert", value: pack(resource) }, nowMs);
  }
  return fleet;
}

/** Resources of a kind; none where the server knows no such kind. */
async function listKnown(connection: Connection, kind: Kind, options: CallOptions): Promise<readonly AnyResource[]> {
  try {
    return (await listKind(connection, kind, {}, options)).resources;
  } catch (error) {
    if (error instanceof ZorError && error.code === status.UNIMPLEMENTED) return [];
    throw error;
  }
}
