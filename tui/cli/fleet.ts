import { kindNamed, livesOnHosts, type Kind } from "../../lib/kinds/kinds.js";
import { pack } from "../../lib/kinds/resource.js";
import type { Connection } from "../../lib/grpc/connection.js";
import type { CallOptions } from "../../lib/grpc/connection.js";
import { tuiKinds } from "../kinds/index.js";
import { Fleet } from "../kit/fleet/fleet.js";
import { KindTable } from "../kit/kind-table.js";
import { listKind } from "./kinds.js";

/** All kinds as the terminal interface knows them; to be asked for after kinds were added to those of the process. */
function kindTable(): KindTable {
  return new KindTable(tuiKinds);
}

/** A fleet of which nothing is known: what is shown of a resource is what it says itself. */
export function emptyFleet(nowMs: number): Fleet {
  return new Fleet(kindTable(), nowMs);
}

/** A fleet of which the hosts are known, and with them whether what is said of what lives on them is current. */
export async function fleetFor(connection: Connection, kind: Kind, options: CallOptions): Promise<Fleet> {
  const nowMs = Date.now();
  const fleet = emptyFleet(nowMs);
  if (!livesOnHosts(kind)) return fleet;
  const { resources } = await listKind(connection, kindNamed("host"), {}, options);
  for (const resource of resources) fleet.apply({ $case: "upsert", value: pack(resource) }, nowMs);
  return fleet;
}
