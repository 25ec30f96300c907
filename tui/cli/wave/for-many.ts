import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import { filterOption, noWaitOption, selectorOption, waitOption, yesOption } from "../command.js";
import type { Session } from "../session.js";
import { areMany, type BeginOptions, beginWave, confirmWave, type ManyOptions, manyOf } from "./run-wave.js";
import { asWave, type SpecOptions, specOf } from "./spec-options.js";

/** Gives a command of names the options to choose resources by what they are like: they are a wave of the hub. */
export function asMany(command: Command, noWait = "return once the wave of many has begun"): Command {
  command
    .option("--host <host>", "the host of names without one, or of all that are meant")
    .option("--all", "all that it can be done to, as a wave of the hub")
    .addOption(filterOption("labels.lab = 'a'"))
    .addOption(selectorOption());
  return asWave(command).addOption(yesOption()).addOption(waitOption()).addOption(noWaitOption(noWait));
}

/** Whether resources are not named but chosen. @throws {ZorError} INVALID_ARGUMENT when they are both, or neither. */
export function isForMany(names: readonly string[], options: ManyOptions): boolean {
  if (names.length > 0 !== areMany(options)) return names.length === 0;
  throw invalidArgument("names", "name them, or give --filter, --selector or --all");
}

/** Does it to all that are chosen, after telling how far that reaches. */
export async function doToMany(
  session: Session,
  { kind, verb, method }: { readonly kind: Kind; readonly verb: string; readonly method: string },
  options: ManyOptions & SpecOptions & BeginOptions & { readonly yes?: boolean },
): Promise<void> {
  const resources = await manyOf(session, kind, options);
  const names = await confirmWave(session, { kind, verb, resources, areNamed: false }, options);
  if (names.length > 0) await beginWave(session, specOf(method, names, options), options);
}
