import type { NamedMessage } from "../../../lib/kinds/codecs.js";
import { changedPaths } from "../../../lib/kinds/mask.js";
import { listed } from "../../../lib/words.js";
import type { Action } from "../../kit/action.js";
import type { Row } from "../../kit/row.js";
import type { Changes, ResourceChange } from "./changes.js";

/** More fields than these are counted. */
const mostNamed = 3;

/** What makes a change undone: what it changed gets the values that it had. What somebody else has changed again since is asked about first. */
export function undoingChange(
  change: ResourceChange & { readonly type: "update" },
  { changes, signal }: { readonly changes: Changes; readonly signal: AbortSignal },
): Action {
  const { kind, paths, before, resource } = change;
  const differs = (one: NamedMessage, { resource: other }: Row): boolean =>
    // Rows of the kinds of the API hold messages of theirs.
    changedPaths(kind.singular, one, other as NamedMessage).some((path) =>
      paths.some((changed) => isWithin(path, changed) || isWithin(changed, path)),
    );
  const what = listed(paths, mostNamed);
  return {
    verb: "change back",
    title: `give ${what} the values of before`,
    keys: [],
    whyNot: (row) => (differs(before, row) ? undefined : `${what} has the value of before`),
    effect: (row) =>
      differs(resource, row)
        ? `${what} as before, although it is not what it was changed to any more`
        : `${what} as before`,
    phraseFor: (row) => (differs(resource, row) ? "y" : undefined),
    isDone: (_, now) => !differs(before, now),
    run: async ({ name, resource: now }) => {
      const etag = "etag" in now && typeof now.etag === "string" ? now.etag : "";
      const back = { type: "update", kind, name, paths, etag } as const;
      // Rows of the kinds of the API hold messages of theirs.
      const sent = await changes.send({ ...back, resource: before, before: now as NamedMessage }, signal);
      return sent.operation;
    },
  };
}

/** Of what stands in the API's update masks: whether one is the other, or below it. */
function isWithin(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}.`);
}
