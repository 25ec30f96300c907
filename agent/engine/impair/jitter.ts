import type { ImpairmentSettings } from "./settings.js";

/** The tail of a Pareto distribution has no end; ours ends at so many times the jitter. */
const longestTail = 100;
const paretoShape = 3;

/**
 * How far a frame's delay is from the standing one, in units of the jitter. Uniform: -1 to 1. Normal: standard deviation 1.
 * Pareto (of the second kind, shape 3): 0 or more, mean 1.
 * @param first uniform in [0, 1) @param second the same, independent of the first
 */
export function jitterOf(
  distribution: ImpairmentSettings["jitterDistribution"],
  first: number,
  second: number,
): number {
  switch (distribution) {
    case "uniform":
      return 2 * first - 1;
    case "normal":
      // Box and Muller; 1 - first is never 0.
      return Math.sqrt(-2 * Math.log(1 - first)) * Math.cos(2 * Math.PI * second);
    case "pareto":
      return Math.min(longestTail, (paretoShape - 1) * ((1 - first) ** (-1 / paretoShape) - 1));
  }
}
