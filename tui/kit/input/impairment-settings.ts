import { parseDuration, toOptionalDuration } from "../../../lib/duration.js";
import { invalidArgument } from "../../../lib/errors.js";
import { impairmentLimits } from "../../../lib/impairment.js";
import { quote } from "../../../lib/names.js";
import { type Impairment, JitterDistribution } from "../../../proto/gen/zor/v1/impairment.js";
import { parseAmount, parseBitRate, parseBytes } from "./amounts.js";

/** One thing that may happen to frames, as people write it: `--loss 1%`, or "loss 1%" in a schedule. */
export interface ImpairmentSetting {
  readonly name: string;
  /** What follows the name; undefined: nothing. */
  readonly argument: string | undefined;
  readonly help: string;
  /** @param where names the option or schedule in the error. @throws {ZorError} INVALID_ARGUMENT */
  readonly parse: (where: string, text: string) => Partial<Impairment>;
}

/** Everything that can be set, in the order of the help. */
export const impairmentSettings: readonly ImpairmentSetting[] = [
  {
    name: "delay",
    argument: "time",
    help: `delay every frame, such as 50ms (at most ${impairmentLimits.delayMs / 1_000}s)`,
    parse: (where, text) => ({ delay: toOptionalDuration(parseFineTime(where, text)) }),
  },
  {
    name: "jitter",
    argument: "time",
    help: "spread the delay by so much",
    parse: (where, text) => ({ jitter: toOptionalDuration(parseFineTime(where, text)) }),
  },
  {
    name: "jitter-distribution",
    argument: "name",
    help: "uniform, normal or pareto",
    parse: (where, text) => ({ jitterDistribution: parseDistribution(where, text) }),
  },
  {
    name: "loss",
    argument: "part",
    help: "lose frames, such as 1% or 0.01",
    parse: (where, text) => ({ lossRatio: parseRatio(where, text) }),
  },
  {
    name: "loss-burst",
    argument: "frames",
    help: "lose them in bursts of so many on average",
    parse: (where, text) => ({ lossBurstFrames: parseAmount(where, text, "a number of frames", /^$/) }),
  },
  {
    name: "duplicate",
    argument: "part",
    help: "send frames twice",
    parse: (where, text) => ({ duplicateRatio: parseRatio(where, text) }),
  },
  {
    name: "reorder",
    argument: "part",
    help: "let frames overtake those that wait",
    parse: (where, text) => ({ reorderRatio: parseRatio(where, text) }),
  },
  {
    name: "corrupt",
    argument: "part",
    help: "flip one bit of frames",
    parse: (where, text) => ({ corruptRatio: parseRatio(where, text) }),
  },
  {
    name: "rate",
    argument: "rate",
    help: "limit the rate, such as 64kbit, 10mbit or 1gbit per second",
    parse: (where, text) => ({
      rateBps: parseBitRate(where, text),
    }),
  },
  {
    name: "burst",
    argument: "bytes",
    help: "what may pass at once when the rate was not used",
    parse: (where, text) => ({ burstBytes: parseBytes(where, text) }),
  },
  {
    name: "queue",
    argument: "bytes",
    help: "what may wait, such as 64k or 2M; more is dropped",
    parse: (where, text) => ({ queueBytes: parseBytes(where, text) }),
  },
  {
    name: "drop-every",
    argument: "n",
    help: "drop exactly every nth frame; 0: none",
    parse: (where, text) => ({ dropEvery: parseEvery(where, text) }),
  },
  {
    name: "drop-filter",
    argument: "expr",
    help: "drop frames that match (pcap-filter(7)), such as 'icmp'; '': none",
    parse: (_where, text) => ({ dropFilter: text.trim() }),
  },
  { name: "down", argument: undefined, help: "let nothing pass", parse: () => ({ down: true }) },
];

/** Parses "loss 20%, delay 50ms". @throws {ZorError} INVALID_ARGUMENT that lists the settings there are. */
export function parseSettings(where: string, text: string): Partial<Impairment> {
  // A comma within quotes is part of what they hold.
  const parts = (text.match(/(?:"[^"]*"|'[^']*'|[^,"'])+|(?<=,)(?=,|$)|^$/g) ?? [text]).map((part) => part.trim());
  return Object.assign({}, ...parts.map((part) => parseSetting(where, part)));
}

function parseSetting(where: string, text: string): Partial<Impairment> {
  const [, name = "", argument] = /^([^\s=]*)(?:[\s=]+(.*))?$/.exec(text) ?? [];
  const setting = impairmentSettings.find((each) => each.name === name);
  const word = argument === undefined ? undefined : wordOf(argument);
  const isGood = (setting?.argument === undefined) === (argument === undefined);
  if (setting === undefined || !isGood || (argument !== undefined && word === undefined)) {
    const forms = impairmentSettings.map(
      ({ name: known, argument }) => `${known}${argument ? ` ${argument.toUpperCase()}` : ""}`,
    );
    throw invalidArgument(where, `${quote(text)} is not a setting; they are: ${forms.join(", ")}`);
  }
  return setting.parse(where, word ?? "");
}

/** The one word of a text, which may be in quotes; undefined: there are more. */
function wordOf(text: string): string | undefined {
  const match = /^(?:"([^"]*)"|'([^']*)'|([^\s"']+))$/.exec(text);
  return match === null ? undefined : (match[1] ?? match[2] ?? match[3]);
}

function parseEvery(where: string, text: string): number {
  const every = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (every <= impairmentLimits.everyFrames) return every;
  throw invalidArgument(where, `${quote(text)} is not a number of frames, at most ${impairmentLimits.everyFrames}`);
}

/** Milliseconds of "50ms", "0.5ms", "200us" or "2s"; 0 needs no unit. */
function parseFineTime(where: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms <= impairmentLimits.delayMs) return ms;
  const longest = `${impairmentLimits.delayMs / 1_000}s`;
  throw invalidArgument(where, `${quote(text)} is not a time such as 50ms, 0.5ms, 200us or 2s, at most ${longest}`);
}

function parseRatio(where: string, text: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,9})?)(%?)$/.exec(text);
  const ratio = match === null ? Number.NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw invalidArgument(where, `${quote(text)} is not a part such as 1% or 0.01`);
}

function parseDistribution(where: string, text: string): JitterDistribution {
  switch (text) {
    case "uniform":
      return JitterDistribution.JITTER_DISTRIBUTION_UNIFORM;
    case "normal":
      return JitterDistribution.JITTER_DISTRIBUTION_NORMAL;
    case "pareto":
      return JitterDistribution.JITTER_DISTRIBUTION_PARETO;
    default:
      throw invalidArgument(where, `${quote(text)} is not uniform, normal or pareto`);
  }
}
