import { type Command, commandId } from "../kit/keys/command.js";
import { shortName } from "../kit/resource-name.js";
import { commandsHere } from "../screens/commands.js";
import { showNamed } from "../screens/detail/detail-screen.js";
import type { Program } from "../screens/program.js";

/**
 * Gives a command of the command line with what follows its word. What is named there is gone to first, so that nothing is done to what
 * happens to be under the cursor instead; a command that can take nothing, or not be given here, says so.
 */
export function giveCommand(program: Program, command: Command, argument: string): void {
  const { model } = program;
  const word = command.words?.[0] ?? commandId(command);
  if (argument === "" || command.argument !== undefined) {
    if (command.when?.() === false) model.say(command.whyNot ?? `${word} is nothing here: ${command.title}`, "warn");
    else command.run({ chord: "", argument });
    return;
  }
  if (command.ofRow !== true) {
    model.say(`${word} takes nothing behind it: ${command.title}`, "warn");
    return;
  }
  const { screen } = model;
  const here = screen.subject()?.name ?? "";
  if (here !== argument && shortName(here) !== argument && !showNamed(program, argument)) return;
  const there = commandsHere(program).find(({ words, when }) => words?.includes(word) === true && when?.() !== false);
  if (there !== undefined && !(model.session.readOnly && there.changes === true)) {
    there.run({ chord: "", argument: "" });
    return;
  }
  if (model.screen !== screen) model.pop();
  model.say(command.whyNot ?? `${word} is nothing for ${argument}: ${command.title}`, "warn");
}
