import { messageOf } from "../../../lib/errors.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { shortName } from "../../kit/resource-name.js";
import type { Program } from "../program.js";
import type { ResourceChange, Sent } from "./changes.js";
import { listed } from "../../../lib/words.js";
import { undoingChange } from "./undo-change.js";

/** What is shown only once stays so long. */
const onceMs = 600_000;

/** Says what becomes of a change that was taken on, until it is done or has failed. */
export function followChange(program: Program, change: ResourceChange, { operation, told }: Sent): void {
  const { model, log, changes, signal } = program;
  const what = `${change.kind.singular} ${shortName(change.name)}`;
  const done = change.type === "create" ? "created" : "changed";
  const once = Object.entries(told).map(([key, value]) => `${key.replaceAll("_", " ")}: ${value}`);
  if (once.length > 0) model.say(`${what} ${done}; shown only now: ${once.join(", ")}`, "good", onceMs);
  else if (operation === undefined) model.say(`${what} ${done}`, "good");
  if (operation === undefined) {
    noteUndo(program, change);
    return;
  }
  const tell = ({ step, progressPercent }: Operation): void => {
    const part = progressPercent > 0 ? ` ${progressPercent} %` : "";
    model.say(`${what} is being ${done}${step === "" ? "" : `: ${step}`}${part}`);
    model.changed();
  };
  tell(operation);
  changes.follow(operation, tell).then(
    () => {
      noteUndo(program, change);
      model.say(`${what} ${done}`, "good");
      model.changed();
    },
    (error: unknown) => {
      if (signal.aborted) return;
      log.warn({ err: error, resource: change.name }, "a change failed");
      model.complain(`tui.${change.type}_failed`, change.name, `${what} could not be ${done}: ${messageOf(error)}`);
      model.changed();
    },
  );
}

function noteUndo({ model, requests, changes, signal }: Program, change: ResourceChange): void {
  if (change.type === "create") return;
  const { kind, name, paths } = change;
  requests.undo.add({
    title: `change ${listed(paths, 3)} of ${kind.singular} ${shortName(name)}`,
    kind: model.kinds.get(kind.singular),
    atMs: model.nowMs,
    steps: new Map([[name, undoingChange(change, { changes, signal })]]),
  });
}
