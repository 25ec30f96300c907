import type { FormHints } from "../../kit/form-hints.js";
import { takenOut } from "../../kit/input/taken-out.js";

/** How a2bs are made and changed in a form. */
export const a2bForm: FormHints = {
  say: (resource) => takenOut(resource, ["lanA", "lanB"]),
};
