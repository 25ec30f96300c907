import type { FormHints } from "../../kit/form-hints.js";
import { takenOut } from "../../kit/input/taken-out.js";

/** How snapshots are made and changed in a form. */
export const snapshotForm: FormHints = {
  say: (resource) => takenOut(resource, ["instance"]),
};
