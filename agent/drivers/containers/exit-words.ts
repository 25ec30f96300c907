import { constants } from "node:os";

/** How a first process ended, by its exit code as a shell tells it: 128 + n when signal n ended it, or the process said so itself. */
export function describeExit(code: number): string {
  const signal = signalNameOf(code - 128);
  return signal === undefined
    ? `ended with exit code ${code}`
    : `was ended by ${signal} (signal ${code - 128}), exit code ${code}`;
}

/** Name of a signal by number; undefined: there is none, so the number was an exit code. */
export function signalNameOf(signal: number): string | undefined {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
}
