import type { FormHints } from "../../kit/form-hints.js";
import { takenOut } from "../../kit/input/taken-out.js";
import { shortName } from "../../kit/resource-name.js";

/** How exposes are made and changed in a form. */
export const exposeForm: FormHints = {
  say: (resource) => {
    const { words, flags, rest } = takenOut(resource, ["instance", "port"]);
    return { words: [`${shortName(words[0] ?? "")}:${words[1] || 0}`], flags, rest };
  },
};
