import { codecOf } from "../../../lib/kinds/codecs.js";
import type { Wave, WaveItem } from "../../../proto/gen/zor/v1/wave.js";
import { waveVerb } from "../../kinds/operation/wave-spec.js";
import type { Action } from "../../kit/action.js";
import { confirmationOf, type Impact, planImpact } from "../../kit/impact.js";
import type { Model } from "../../kit/model.js";
import { toRow } from "../../kit/row.js";

/** What going on with a wave would do to these of its resources; undefined when it is for none of a kind that is known. */
function waveImpact({ fleet, nowMs }: Model, wave: Wave, items: readonly WaveItem[]): Impact | undefined {
  const kind = fleet.kinds.findByName(items[0]?.name ?? "");
  if (kind === undefined || wave.spec === undefined) return undefined;
  const verb = waveVerb(wave.spec);
  // What nobody here knows may take anything away.
  const unknown: Action = {
    verb,
    keys: [],
    title: verb,
    dangerous: true,
    effect: () => "",
    run: async () => undefined,
  };
  const known: Action | undefined = kind.actions.find((action) => action.verb === verb);
  const rows = items.map(
    ({ name }) =>
      fleet.find(kind.kind, name) ?? toRow(kind.kind, name, codecOf(kind.kind).fromPartial({ name }), nowMs),
  );
  // The hub is asked in any case: none is left out.
  const impact = planImpact(fleet, kind, { ...(known ?? unknown), whyNot: () => undefined }, rows);
  return { ...impact, changes: [...impact.changes, ...impact.skipped], skipped: [] };
}

/** Goes on with a wave, once that is confirmed where it takes something away, or where `isAsked` and it is for several. */
export function goOnWith(
  { model, wave, items }: { readonly model: Model; readonly wave: Wave; readonly items: readonly WaveItem[] },
  isAsked: boolean,
  go: () => void,
): void {
  const impact = waveImpact(model, wave, items);
  const isHarmless = impact?.action.dangerous !== true && !isAsked;
  const phrase = impact === undefined || isHarmless ? undefined : confirmationOf(impact, model.typeNumberAbove);
  if (impact === undefined || phrase === undefined) go();
  else model.prompt = { type: "confirm", impact, phrase, text: "", go };
}
