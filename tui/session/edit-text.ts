import { messageOf, ZorError } from "../../lib/errors.js";
import { status } from "@grpc/grpc-js";
import { EditedFile, withNotes, withoutNotes } from "../cli/editor.js";
import { parseResource } from "../cli/input/resource-file.js";
import type { EditedText, EditText } from "../screens/form/changes.js";
import { plainText } from "../kit/text/plain-text.js";

/** What the server says that another text would mend. */
const mendable: readonly status[] = [
  status.INVALID_ARGUMENT,
  status.FAILED_PRECONDITION,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.OUT_OF_RANGE,
  status.RESOURCE_EXHAUSTED,
];

/**
 * Edits a resource as YAML in the person's editor: again, with the reason on top, as long as it would not be taken. An empty text, or one
 * that was left as it was, changes nothing.
 */
export const editText: EditText = async ({ kind, id, yaml, notes }, check) => {
  await using file = await EditedFile.create(`${id.replaceAll("/", "-") || kind.singular}.yaml`, process.env);
  const head = [
    `${kind.singular} ${id}: save it to send it; empty it, or leave it as it is, to change nothing.`,
    ...notes.map(plainText),
  ];
  let text = yaml.trim();
  let why: readonly string[] = [];
  for (;;) {
    const saved = withoutNotes(await file.edit(withNotes([...head, ...why], text)));
    if (saved === "") return left("nothing was changed: the file is empty");
    if (saved === text) return left(why.length === 0 ? "nothing was changed" : `nothing was changed: ${why[1] ?? ""}`);
    text = saved;
    try {
      const resource = parseResource(kind, "the file", saved);
      await check(resource);
      return { type: "taken", resource };
    } catch (error) {
      if (!(error instanceof ZorError) || !mendable.includes(error.code)) throw error;
      why = ["It would not be taken:", ...messageOf(error).split("; ").map(plainText)];
    }
  }
};

function left(why: string): EditedText {
  return { type: "left", why };
}
