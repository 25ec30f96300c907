import { ZorError } from "../../../lib/errors.js";
import type { NamedMessage } from "../../../lib/kinds/codecs.js";
import { applyMask } from "../../../lib/kinds/mask.js";
import { Form, jsonOf } from "./form.js";

/** Whether a change was refused because somebody else was faster. */
export function isOvertaken(error: unknown): boolean {
  return error instanceof ZorError && error.reason === "ETAG_MISMATCH";
}

/** The form of a resource as it is now, with what was changed in another on top; undefined: that one is current. */
export function rebased(form: Form, now: NamedMessage | undefined): Form | undefined {
  const { aim } = form;
  const change = form.change();
  if (now === undefined || aim.base === undefined || etagOf(now) === etagOf(aim.base)) return undefined;
  if (change?.type !== "update") return new Form({ ...aim, base: now });
  const { kind, changeable } = aim;
  const merged = applyMask({
    kind: kind.singular,
    current: now,
    wanted: change.resource,
    mask: change.paths,
    changeable,
  });
  const mine = new Form({ ...aim, base: now, filled: { json: jsonOf(kind, merged) } });
  // What was typed is still to be saved.
  mine.isMerged = true;
  return mine;
}

function etagOf(resource: NamedMessage): unknown {
  return Reflect.get(resource, "etag");
}
