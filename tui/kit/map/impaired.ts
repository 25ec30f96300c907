import type { Impairment } from "../../../proto/gen/zor/v1/impairment.js";
import { impairmentText } from "../impairment-text.js";
import type { Condition } from "./role.js";

/** What does something to frames on purpose; what is in force now counts, before the first observation what is specified. */
interface Impairing {
  readonly spec: { readonly aToB: Impairment | undefined; readonly bToA: Impairment | undefined } | undefined;
  readonly status:
    | { readonly currentAToB: Impairment | undefined; readonly currentBToA: Impairment | undefined }
    | undefined;
}

/** What frames have to expect of it. */
export function impairedCondition(cable: Impairing): Condition {
  const [there, back] = waysOf(cable);
  if (there?.down === true && back?.down === true) return "broken";
  return [there, back].every((way) => impairmentText(way) === "-") ? "whole" : "impaired";
}

/** What it does to them, a text for each way; one when both are the same. */
export function impairedFigures(cable: Impairing): readonly string[] {
  const [there, back] = waysOf(cable).map(impairmentText);
  if (there === back) return there === undefined || there === "-" ? [] : [there];
  return [`→${there ?? ""}`, `←${back ?? ""}`];
}

function waysOf({ spec, status }: Impairing): readonly (Impairment | undefined)[] {
  return [status?.currentAToB ?? spec?.aToB, status?.currentBToA ?? spec?.bToA];
}
