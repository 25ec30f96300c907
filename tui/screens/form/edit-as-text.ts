import { stringify } from "yaml";
import { shortName } from "../../kit/resource-name.js";
import type { Program } from "../program.js";
import type { Form } from "./form.js";

/** Has a form edited as YAML; resolves to the form with what was saved and would be taken, undefined: it is left as it was. */
export async function editAsText({ model, changes, signal, editText }: Program, form: Form): Promise<Form | undefined> {
  const { kind } = form.aim;
  const edited = await editText(
    { kind, id: shortName(form.name), yaml: stringify(form.json()), notes: [] },
    async (resource) => {
      const change = form.with(resource).change();
      if (change !== undefined) await changes.check(change, signal);
    },
  );
  if (edited.type === "taken") return form.with(edited.resource);
  model.say(edited.why);
  return undefined;
}
