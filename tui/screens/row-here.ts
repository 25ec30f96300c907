import type { Model } from "../kit/model.js";
import type { Row } from "../kit/row.js";

/** What the cursor is on; where there is nothing that is said, and undefined. @param to what was to be done with it: "describe". */
export function rowHere(model: Model, to: string): Row | undefined {
  const row = model.screen.subject();
  if (row === undefined) model.say(`nothing to ${to} here`);
  return row;
}
