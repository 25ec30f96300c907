import { type Kind, kindNamed } from "../../../lib/kinds/kinds.js";
import { type AnyResource, pack } from "../../../lib/kinds/resource.js";
import type { Action } from "../../kit/action.js";
import { blastText, type Impact, planImpact } from "../../kit/impact.js";
import { toRow } from "../../kit/row.js";
import { escapeText } from "../../kit/text/escape.js";
import { emptyFleet } from "../fleet.js";
import { listKind } from "../kinds.js";
import type { Session } from "../session.js";

/** So many of each are named one by one. */
const mostNamed = 10;
/** Of verbs that the terminal interface has no action for those that take nothing away; whatever else there is, or comes, is asked first. */
const harmlessVerbs: ReadonlySet<string> = new Set(["attach", "build", "clone", "copy", "export", "import", "save"]);

/** What doing something to these would change, with what it takes along. */
export async function planBlast(
  session: Session,
  { kind, verb }: { readonly kind: Kind; readonly verb: string },
  resources: readonly AnyResource[],
): Promise<Impact> {
  const nowMs = Date.now();
  const fleet = emptyFleet(nowMs);
  const tuiKind = fleet.kinds.get(kind.singular);
  const known = tuiKind.actions.find((action) => action.verb === verb);
  const action: Action = known ?? {
    ...{
      verb,
      keys: [],
      title: verb,
      dangerous: !harmlessVerbs.has(verb),
      effect: () => "",
      run: async () => undefined,
    },
  };
  const connection = await session.connect();
  fleet.own = new Map([["", connection.caller]]);
  // Cables are cut, and whatever lives on what is deleted suffers.
  const others = fleet.kinds.all.filter(
    ({ kind: other, map, suffersFrom, needs }) =>
      other !== kind.singular &&
      (other === "host" || map?.shape === "cable" || needs !== undefined || (verb === "delete" && suffersFrom)),
  );
  const lists = await Promise.all(
    others.map((other) => listKind(connection, kindNamed(other.kind), {}, session.readOptions())),
  );
  for (const resource of [...lists.flatMap((list) => list.resources), ...resources])
    fleet.apply({ $case: "upsert", value: pack(resource) }, nowMs);
  const rows = resources.map((resource) => toRow(resource.kind, resource.value.name, resource.value, nowMs));
  return planImpact(fleet, tuiKind, action, rows);
}

/** How far it reaches, for people: the first line says it all. Escaped. */
export function blastLines(impact: Impact): readonly string[] {
  const { changes, collateral, skipped } = impact;
  const left = skipped.map(({ subject, effect }) => `${subject}: ${effect}`);
  return [
    `This would ${blastText(impact)}:`,
    ...someOf(changes.map(({ subject, effect }) => (effect === "" ? subject : `${subject}: ${effect}`))),
    ...(collateral.length === 0 ? [] : ["Also affected:", ...someOf(collateral)]),
    ...(left.length === 0 ? [] : [`Left out (${left.length}):`, ...someOf(left)]),
  ].map(escapeText);
}

function someOf(lines: readonly string[]): readonly string[] {
  const more = lines.length - mostNamed;
  const shown = more > 1 ? lines.slice(0, mostNamed) : lines;
  return [...shown.map((line) => `  ${line}`), ...(more > 1 ? [`  and ${more} more`] : [])];
}
