import { messageOf } from "../../lib/errors.js";
import type { Program } from "./program.js";

/** Reads pages until one holds something that is not shown yet, at most so many. */
const mostPages = 10;

/** Brings events onto the screen that are older than those that the watch began with. */
export async function reachBack(program: Program): Promise<void> {
  const { model, signal } = program;
  model.say("reading older events");
  try {
    for (let page = 0; page < mostPages; page += 1) {
      const { events, more } = await program.olderEvents(signal);
      const added = model.fleet.addHistory(events, model.nowMs);
      if (added === 0 && more) continue;
      const all = more ? "" : ", and no others are kept";
      model.say(
        added === 0
          ? "there are no older events, or no room for more"
          : `${added} older ${added === 1 ? "event" : "events"}${all}`,
      );
      model.changed();
      return;
    }
    model.say("there is no room for more events");
  } catch (error) {
    if (signal.aborted) return;
    model.say(`older events cannot be read: ${messageOf(error)}`, "warn");
  }
  model.changed();
}
