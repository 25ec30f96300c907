import type { FormHints } from "../../kit/form-hints.js";
import { takenOut } from "../../kit/input/taken-out.js";
import { wordOfEnd } from "../../kit/input/end-word.js";
/** How links are made and changed in a form. */
export const linkForm: FormHints = {
  say: (resource) => takenOut(resource, ["a", "b"], (name) => wordOfEnd(name, "")),
};
