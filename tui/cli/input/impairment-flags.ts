import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { Impairment, type ImpairmentStep } from "../../../proto/gen/zor/v1/impairment.js";
import { repeatable } from "../command.js";
import { type ImpairmentSetting, impairmentSettings } from "./impairment-settings.js";
import { parseScheduleFile, parseStep } from "./schedule.js";

/** What the impairment options of a command say. */
export interface ImpairmentFlags {
  readonly aToB: Impairment | undefined;
  readonly bToA: Impairment | undefined;
  readonly seed: bigint;
  readonly schedule: ImpairmentStep[];
}

/** Options as commander collects them: which there are follows from a table, so their names are not known to the compiler. */
type Options = Readonly<Record<string, unknown>>;

const ways = { aToB: "ab", bToA: "ba" } as const;

/**
 * Adds the options: --delay and so on for both directions, --ab-delay and so on from a to b, --ba-delay from b to a.
 * @param live the command changes something that is there: what is on can be switched off.
 */
export function addImpairmentOptions(command: Command, live: boolean): Command {
  for (const prefix of ["", "ab-", "ba-"]) {
    for (const { name, argument, help } of impairmentSettings) {
      const flags = `--${prefix}${name}${argument === undefined ? "" : ` <${argument}>`}`;
      const option = new Option(flags, help);
      command.addOption(prefix === "" ? option : option.hideHelp());
      if (argument !== undefined || !live) continue;
      const off = new Option(`--no-${prefix}${name}`, `take --${prefix}${name} back`);
      command.addOption(prefix === "" ? off : off.hideHelp());
    }
  }
  return command
    .option("--seed <number>", "the same seed and frames give the same result; 0: another one each time")
    .addOption(
      repeatable("--at <step>", 'a change that comes and goes, "30s for 10s every 1m ab: loss 20%"; may be repeated'),
    )
    .option("--schedule <file>", "such steps from a file, one a line")
    .addHelpText(
      "after",
      "\nEvery one of --delay to --down also exists as --ab-... and --ba-..., for one\ndirection only.",
    );
}

/** What the options make of what there was. What is not given stays as it was. */
export async function readImpairmentFlags(options: Options, before: ImpairmentFlags): Promise<ImpairmentFlags> {
  const { seed, at, schedule: file } = options;
  // Options whose type is fixed by how they were added.
  const steps = (at as string[]).map((step) => parseStep("--at", step));
  const schedule = [...steps, ...(file === undefined ? [] : await readSchedule(String(file)))];
  return {
    aToB: applyFlags(options, "aToB", before.aToB),
    bToA: applyFlags(options, "bToA", before.bToA),
    seed: seed === undefined ? before.seed : parseSeed(String(seed)),
    schedule: schedule.length === 0 ? before.schedule : schedule,
  };
}

function applyFlags(options: Options, way: keyof typeof ways, before: Impairment | undefined): Impairment | undefined {
  const changes: Partial<Impairment>[] = [];
  for (const prefix of ["", `${ways[way]}-`]) {
    for (const setting of impairmentSettings) {
      const flag = `${prefix}${setting.name}`;
      const value = options[flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
      if (value !== undefined) changes.push(readSetting(setting, `--${flag}`, value));
    }
  }
  if (changes.length === 0) return before;
  return Object.assign(Impairment.fromPartial(before ?? {}), ...changes);
}

function readSetting(setting: ImpairmentSetting, where: string, value: unknown): Partial<Impairment> {
  if (value === false) return { down: false };
  return setting.parse(where, value === true ? "" : String(value));
}

async function readSchedule(file: string): Promise<ImpairmentStep[]> {
  let content: string;
  try {
    content = await readFile(file, "utf8");
  } catch (error) {
    throw invalidArgument("--schedule", `${file} cannot be read: ${messageOf(error)}`);
  }
  return parseScheduleFile(file, content);
}

function parseSeed(text: string): bigint {
  if (!/^-?\d{1,19}$/.test(text) || BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) {
    throw invalidArgument("--seed", `${quote(text)} is not a whole number of 64 bits`);
  }
  return BigInt(text);
}
