import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import type { SshTarget } from "../../../lib/ssh/target.js";
import { repeatable, withExamples, withNotes } from "../command.js";
import { EditedFile } from "../editor.js";
import { readGiven } from "../input/read-given.js";
import type { Session } from "../session.js";
import { readSettings } from "./configure.js";
import { Remote, type RemoteOptions } from "./remote.js";
import { parseKey, parseSetting, type SettingsEdit } from "./settings-text.js";
import { programOf } from "./trial.js";

/** What is to be done to settings, as it was said. */
export interface ConfigureFlags {
  readonly set: readonly string[];
  readonly unset: readonly string[];
  readonly file?: string;
  readonly edit?: boolean;
}

/** Adds {@link ConfigureFlags}. */
export function withSettings(command: Command): Command {
  return command
    .addOption(repeatable("--set <key=value>", "a setting, its value as YAML; keys of objects with dots"))
    .addOption(repeatable("--unset <key>", "take a setting away: its default counts"))
    .option("-f, --file <file>", "the whole file of settings")
    .option("--edit", "change the file in your editor; of one machine");
}

/** Of the help of those commands. */
const settingsNotes = `The version that is installed there checks the settings before they count, and says what is wrong by line. Then the file is replaced in one step, the program is started anew, and when it is not well with them the settings before come back by themselves. Those stay beside as NAME.yaml.before.`;

/** Examples of those commands. */
export function withSettingsExamples(command: Command, ...examples: readonly string[]): Command {
  return withExamples(withNotes(command, settingsNotes), ...examples);
}

/** Reads what is to be done. `--edit` needs {@link editThere}. @param signal gives it up. @throws {ZorError} INVALID_ARGUMENT. */
export async function readEdit({ set, unset, file, edit }: ConfigureFlags, signal: AbortSignal): Promise<SettingsEdit> {
  if (edit === true && (file !== undefined || set.length + unset.length > 0))
    throw invalidArgument("--edit", "goes without -f, --set and --unset");
  if (edit !== true && file === undefined && set.length + unset.length === 0)
    throw invalidArgument("settings", "say what to change: --set KEY=VALUE, --unset KEY, -f FILE or --edit");
  const text = file === undefined ? undefined : await readGiven("--file", file, { signal });
  return { text, set: set.map(parseSetting), unset: unset.map((key) => parseKey("--unset", key)) };
}

/** A machine whose settings a person edits. */
export interface EditedMachine {
  readonly target: SshTarget;
  readonly unit: string;
  /** Carries it out. */
  readonly work: (edit: SettingsEdit) => Promise<void>;
}

/** Has a person edit the settings of a machine, and carries that out. What was written stays in its file when it is refused. */
export async function editThere(
  session: Session,
  remoteOptions: RemoteOptions,
  { target, unit, work }: EditedMachine,
): Promise<void> {
  const { text } = await read(target, unit, remoteOptions);
  await using file = await EditedFile.create(`${programOf(unit)}.yaml`, session.io.env);
  const edited = await file.edit(text);
  session.io.signal.throwIfAborted();
  if (edited === text || edited.trim() === "") {
    session.note(`nothing was changed: the file ${edited === text ? "is as it was" : "is empty"}`);
    return;
  }
  await work({ text: edited, set: [], unset: [] });
  if (session.exitCode === 0) return;
  file.keep();
  session.note(`what you wrote is in ${file.path}; mend it and give it with -f`);
}

async function read(target: SshTarget, unit: string, options: RemoteOptions) {
  using remote = await Remote.open(target, options);
  return readSettings(remote, unit);
}
