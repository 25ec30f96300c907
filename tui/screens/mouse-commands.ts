import { messageOf } from "../../lib/errors.js";
import type { Command } from "../kit/keys/command.js";
import type { Program } from "./program.js";

/** The command that turns the mouse on and off; what was said last holds for the next run as well. */
export function mouseCommand({ model, mouse, settings, log }: Program): Command {
  return {
    keys: [],
    words: ["mouse"],
    argument: "on|off",
    choices: () => ["on", "off"],
    title:
      "the mouse: a click selects, twice opens, on a title sorts, the wheel scrolls; with shift the terminal selects",
    group: "Program",
    run: ({ argument }) => {
      if (!["", "on", "off"].includes(argument)) {
        model.say("the mouse is on or off: :mouse on", "warn");
        return;
      }
      const isOn = argument === "" ? !mouse.isOn : argument === "on";
      mouse.set(isOn);
      model.say(isOn ? "the mouse is on; with shift the terminal selects text as ever" : "the mouse is off");
      settings.put("settings", ["mouse"], isOn ? true : undefined).catch((error: unknown) => {
        log.warn({ err: error }, "the mouse's setting cannot be kept");
        model.say(`that is not kept for the next time: ${messageOf(error)}`, "warn");
        model.changed();
      });
    },
  };
}
