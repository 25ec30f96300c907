import type { Command } from "commander";
import type { Kind } from "../../../lib/kinds/kinds.js";
import { asChosen, type ChosenOptions, chosenOf } from "../chosen.js";
import { noWaitOption, waitOption, yesOption } from "../command.js";
import type { Session } from "../session.js";
import { type BeginOptions, beginWave, confirmWave } from "./run-wave.js";
import { asWave, type SpecOptions, specOf } from "./spec-options.js";

/** Gives a command of names the options to choose resources by what they are like: they are a wave of the hub. */
export function asMany(command: Command, noWait = "return once the wave of many has begun"): Command {
  asChosen(command, "all that it can be done to, as a wave of the hub");
  return asWave(command).addOption(yesOption()).addOption(waitOption()).addOption(noWaitOption(noWait));
}

/** Does it to all that are chosen, after telling how far that reaches. */
export async function doToMany(
  session: Session,
  { kind, verb, method }: { readonly kind: Kind; readonly verb: string; readonly method: string },
  options: ChosenOptions & SpecOptions & BeginOptions & { readonly yes?: boolean },
): Promise<void> {
  const resources = await chosenOf(session, kind, options);
  if (resources.length === 0) return;
  const names = await confirmWave(session, { kind, verb, resources, areNamed: false }, options);
  if (names.length > 0) await beginWave(session, specOf(method, names, options), options);
}
