import { parseArgs } from "node:util";

/** A fleet that a hub is started with. */
export interface FleetSize {
  readonly hosts: number;
  readonly instances: number;
}

/** What a run does. */
export interface Plan {
  readonly sizes: readonly FleetSize[];
  readonly rounds: number;
  /** Length of the load with changes. */
  readonly eventSeconds: number;
  readonly changesPerSecond: number;
  readonly watchers: number;
  /** Every lan's counters change so often, in seconds; 0: never. */
  readonly countersSeconds: number;
  readonly json: boolean;
  /** Where the hub writes profiles of the processor and of the heap; undefined: it is not profiled. */
  readonly profile: string | undefined;
}

/** How it is called. */
export const usage = `npm run bench -- hub [--json] [--quick] [--rounds N] [--sizes HOSTSxINSTANCES[,...]] [--counters SECONDS] [--profile DIRECTORY]
Default: --sizes 1000x50,5000x50 --rounds 3; --quick: --sizes 100x50 --rounds 1. The bars belong to the default sizes.
--counters lets the counters of all lans change every so many seconds; --profile has the hub write profiles of processor and heap.`;

/** Parses the arguments; undefined: they make no sense. */
export function parsePlan(argv: readonly string[]): Plan | undefined {
  const values = parseFlags(argv);
  if (values === undefined) return undefined;
  const quick = values.quick === true;
  const sizes = (values.sizes ?? (quick ? "100x50" : "1000x50,5000x50")).split(",").map(parseSize);
  const rounds = Number(values.rounds ?? (quick ? 1 : 3));
  const countersSeconds = Number(values.counters ?? 0);
  if (sizes.includes(undefined) || !Number.isInteger(rounds) || rounds < 1 || !(countersSeconds >= 0)) return undefined;
  return {
    sizes: sizes.filter((size) => size !== undefined),
    rounds,
    eventSeconds: quick ? 2 : 5,
    changesPerSecond: 2000,
    watchers: 10,
    countersSeconds,
    json: values.json === true,
    profile: values.profile,
  };
}

function parseSize(text: string): FleetSize | undefined {
  const match = /^([1-9]\d{0,4})x([1-9]\d{0,3})$/.exec(text);
  return match === null ? undefined : { hosts: Number(match[1]), instances: Number(match[2]) };
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        json: { type: "boolean" },
        quick: { type: "boolean" },
        rounds: { type: "string" },
        sizes: { type: "string" },
        counters: { type: "string" },
        profile: { type: "string" },
      },
    }).values;
  } catch {
    return undefined;
  }
}
