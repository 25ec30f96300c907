import type { FormHints } from "../../kit/form-hints.js";
import { takenOut } from "../../kit/input/taken-out.js";
import { wordOfEnd } from "../../kit/input/end-word.js";
/** How wires are made and changed in a form. */
export const wireForm: FormHints = {
  say: (resource) => takenOut(resource, ["a", "b"], (name) => wordOfEnd(name)),
};
