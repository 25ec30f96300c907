import { readFile } from "node:fs/promises";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { Impairment, type ImpairmentStep } from "../../../proto/gen/zor/v1/impairment.js";
import { type Change, type Flag, type FlagValues, flagText, flagTexts } from "../kind-commands.js";
import { type ImpairmentSetting, impairmentSettings } from "./impairment-settings.js";
import { parseScheduleFile, parseStep } from "./schedule.js";

/** The part of a spec that the flags describe. */
interface Impaired {
  readonly aToB: Impairment | undefined;
  readonly bToA: Impairment | undefined;
  readonly seed: bigint;
  readonly schedule: ImpairmentStep[];
}

const ways = { aToB: { prefix: "ab", path: "spec.a_to_b" }, bToA: { prefix: "ba", path: "spec.b_to_a" } } as const;
type Way = keyof typeof ways;

/** Said in the help of a command with these flags. */
export const impairmentNote =
  "Every one of --delay to --down also exists as --ab-... and --ba-..., for one\ndirection only.";

/**
 * The flags: --delay and so on for both directions, --ab-delay and so on from a to b, --ba-delay from b to a.
 * @param live the command changes something that is there: what is on can be switched off.
 */
export function impairmentFlags({ live }: { readonly live: boolean }): readonly Flag[] {
  const settings = ["", "ab-", "ba-"].flatMap((prefix) =>
    impairmentSettings.flatMap(({ name, argument, help }): Flag[] => {
      const hidden = prefix !== "";
      const on = { flags: `--${prefix}${name}${argument === undefined ? "" : ` <${argument}>`}`, help, hidden };
      if (argument !== undefined || !live) return [on];
      return [on, { flags: `--no-${prefix}${name}`, help: `take --${prefix}${name} back`, hidden }];
    }),
  );
  return [
    ...(live ? [{ flags: "--clear", help: "first take everything back, so that frames pass untouched" }] : []),
    ...settings,
    { flags: "--seed <number>", help: "the same seed and frames give the same result; 0: another one each time" },
    {
      flags: "--at <step>",
      help: 'a change that comes and goes, "30s for 10s every 1m ab: loss 20%"; may be repeated',
      repeatable: true,
    },
    { flags: "--schedule <file>", help: "such steps from a file, one a line" },
    ...(live ? [{ flags: "--no-schedule", help: "take the schedule back" }] : []),
  ];
}

/** The part of a new spec that the flags describe. */
export async function readImpairment(values: FlagValues): Promise<Impaired> {
  const { resource } = await readFlags(values);
  return resource;
}

/** What the flags change of a spec; what they do not say stays as it is. */
export async function readImpairmentChange(
  values: FlagValues,
): Promise<Change & { readonly resource: { readonly spec: Impaired } }> {
  const { resource, paths } = await readFlags(values);
  const cleared = values["clear"] === true ? [ways.aToB.path, ways.bToA.path, "spec.schedule"] : [];
  const others = paths.filter((path) => !cleared.some((each) => path === each || path.startsWith(`${each}.`)));
  const schedule = values["schedule"] === false ? ["spec.schedule"] : [];
  return { resource: { spec: resource }, paths: [...new Set([...cleared, ...others, ...schedule])] };
}

async function readFlags(
  values: FlagValues,
): Promise<{ readonly resource: Impaired; readonly paths: readonly string[] }> {
  const steps = flagTexts(values, "at").map((step) => parseStep("--at", step));
  const file = flagText(values, "schedule");
  const schedule = [...steps, ...(file === undefined ? [] : await readSchedule(file))];
  const seed = flagText(values, "seed");
  const [aToB, bToA] = [readWay(values, "aToB"), readWay(values, "bToA")];
  return {
    resource: {
      aToB: aToB === undefined ? undefined : Impairment.fromPartial(aToB),
      bToA: bToA === undefined ? undefined : Impairment.fromPartial(bToA),
      seed: seed === undefined ? 0n : parseSeed(seed),
      schedule,
    },
    paths: [
      ...pathsOf("aToB", aToB),
      ...pathsOf("bToA", bToA),
      ...(seed === undefined ? [] : ["spec.seed"]),
      ...(schedule.length === 0 ? [] : ["spec.schedule"]),
    ],
  };
}

/** What the flags say of a way; undefined: nothing. */
function readWay(values: FlagValues, way: Way): Partial<Impairment> | undefined {
  const changes: Partial<Impairment>[] = [];
  for (const prefix of ["", `${ways[way].prefix}-`]) {
    for (const setting of impairmentSettings) {
      const flag = `${prefix}${setting.name}`;
      const value = values[flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
      if (value !== undefined) changes.push(readSetting(setting, `--${flag}`, value));
    }
  }
  return changes.length === 0 ? undefined : Object.assign({}, ...changes);
}

function pathsOf(way: Way, impairment: Partial<Impairment> | undefined): string[] {
  return Object.keys(impairment ?? {}).map((field) => {
    const name = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return `${ways[way].path}.${name}`;
  });
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
