import { parseArgs } from "node:util";
import { type PathName, pathNames } from "./path.js";

/** What is measured on each path. */
export const measureNames = ["tcp1", "tcp4", "frames", "rtt"] as const;

/** See {@link measureNames}. */
export type MeasureName = (typeof measureNames)[number];

/** What a run does. */
export interface Plan {
  readonly paths: readonly PathName[];
  readonly measures: readonly MeasureName[];
  /** Whether memory and work of idle cables are measured. */
  readonly idle: boolean;
  readonly rounds: number;
  /** Length of one TCP run. */
  readonly tcpSeconds: number;
  readonly floodSeconds: number;
  readonly pings: number;
  readonly idleCounts: readonly number[];
  readonly idleSeconds: number;
  /** Congestion control of the streams that are measured; undefined: the host's default. */
  readonly congestion: string | undefined;
  readonly json: boolean;
}

/** Paths by the word that stands for several of them. */
const groups: Readonly<Record<string, readonly PathName[]>> = {
  tap: pathNames.filter((name) => name.startsWith("tap-") || name === "underlay"),
  e2e: pathNames.filter((name) => name.startsWith("e2e-")),
  wire: pathNames.filter((name) => name.startsWith("wire-")),
  host: pathNames.filter((name) => name.startsWith("host-")),
};

/** How it is called. */
export const usage = `npm run bench -- c2c [--json] [--quick] [--rounds N] [--congestion NAME] [--only NAME[,NAME]..]
NAME is a path (${pathNames.join(", ")}), a group of paths (${Object.keys(groups).join(", ")}),
a measure (${measureNames.join(", ")}) or "idle".
--congestion is what the measured streams use, such as reno, which never paces; default: what the host uses.`;

/** Parses the arguments; undefined: they make no sense. */
export function parsePlan(argv: readonly string[]): Plan | undefined {
  const values = parseFlags(argv);
  if (values === undefined) return undefined;
  const only = (values.only ?? []).flatMap((words) => words.split(","));
  const paths = only.flatMap((word) => groups[word] ?? pathNames.filter((name) => name === word));
  const measures = measureNames.filter((name) => only.includes(name));
  const known = (word: string): boolean =>
    word === "idle" || word in groups || [...pathNames, ...measureNames].some((name) => name === word);
  const rounds = Number(values.rounds ?? (values.quick === true ? 3 : 5));
  if (!only.every(known) || !Number.isInteger(rounds) || rounds < 1) return undefined;
  const onlyIdle = only.length > 0 && only.every((word) => word === "idle");
  const quick = values.quick === true;
  return {
    paths: onlyIdle ? [] : pathNames.filter((name) => paths.length === 0 || paths.includes(name)),
    measures: measures.length > 0 ? measures : measureNames.filter((name) => !quick || name !== "tcp4"),
    idle: only.length === 0 || only.includes("idle"),
    rounds,
    tcpSeconds: quick ? 1 : 2,
    floodSeconds: quick ? 0.7 : 1,
    pings: quick ? 60 : 100,
    idleCounts: quick ? [1, 100] : [1, 10, 100],
    idleSeconds: quick ? 4 : 8,
    congestion: values.congestion,
    json: values.json === true,
  };
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        json: { type: "boolean" },
        quick: { type: "boolean" },
        rounds: { type: "string" },
        congestion: { type: "string" },
        only: { type: "string", multiple: true },
      },
    }).values;
  } catch {
    return undefined;
  }
}
