import { invalidArgument, notFound } from "../../lib/errors.js";
import { isOfKind } from "../../lib/kinds/resource.js";
import { quote } from "../../lib/names.js";
import { tuiKinds } from "../kinds/index.js";
import { isUp, stateOf } from "../kinds/instance/states.js";
import { Fleet } from "../kit/fleet/fleet.js";
import { KindTable } from "../kit/kind-table.js";
import { shortName } from "../kit/resource-name.js";
import { toRow } from "../kit/row.js";
import { escapeText } from "../kit/text/escape.js";
import type { Kind } from "../../lib/kinds/kinds.js";
import { getResource } from "./kinds.js";
import type { Session } from "./session.js";

/** What deleting a resource takes with it. */
export interface BlastRadius {
  readonly kind: Kind;
  readonly name: string;
  /** An instance that runs: it would be stopped. */
  readonly running: boolean;
  /** One escaped line for people. */
  readonly line: string;
}

/** Looks at a resource before it is deleted. @throws {ZorError} NOT_FOUND, and INVALID_ARGUMENT for kinds zor delete does not delete. */
export async function blastRadius(session: Session, kind: Kind, name: string): Promise<BlastRadius> {
  const resource = await getResource(await session.connect(), kind, name, session.readOptions());
  if (resource === undefined) throw notFound(name);
  const kinds = new KindTable(tuiKinds);
  const { actions, presence } = kinds.get(resource.kind);
  const action = actions.find(({ verb }) => verb === "delete");
  if (action === undefined || presence !== undefined) {
    throw invalidArgument(
      "kind",
      `${quote(kind.plural)} cannot be deleted like this; hosts are removed with: zor host remove`,
    );
  }
  const row = toRow(resource.kind, name, resource.value, Date.now());
  // Nothing else of the fleet is known here: what an agent or the hub would refuse, it refuses itself.
  const fleet = new Fleet(kinds, row.receivedAtMs);
  const text = action.whyNot?.(row, fleet) ?? action.effect(row, fleet);
  return {
    kind,
    name,
    running: isOfKind(resource, "instance") && (resource.value.status === undefined || isUp(stateOf(resource.value))),
    line: escapeText(`${kind.singular} ${shortName(name)}: ${text}`),
  };
}
