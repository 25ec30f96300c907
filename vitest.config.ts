import { globSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

interface ProjectOptions {
  readonly include: readonly string[];
  readonly exclude?: readonly string[];
  readonly timeoutMs: number;
  /** How many of its files run at the same time. */
  readonly files: number;
  /** Projects of one turn share those files; turns come one after the other. */
  readonly turn: number;
}

/** How long expect.poll waits unless it says otherwise: its own default, a second, is short on a busy machine. */
const poll = { timeout: 45_000 };

const project = (name: string, { include, exclude = [], timeoutMs, files, turn }: ProjectOptions) => ({
  test: {
    name,
    include: [...include],
    exclude: [...exclude],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    expect: { poll },
    maxWorkers: files,
    sequence: { groupOrder: turn },
  },
});

/**
 * Unit tests of one worker share what they import: loading it for each of some hundred files anew takes three times as long as the tests.
 * Not those which change what others see: modules, the clock, the environment, the process, the table of kinds.
 */
const unitTests = ["test/unit/**/*.test.{ts,tsx}"];
const changesOthers =
  /\bvi\.(mock|doMock|hoisted|resetModules|useFakeTimers|setSystemTime|stub\w+|spyOn)\(|extension\/register|process\.env\[[^\]]+\] =|delete process\.env|process\.(on|once|off|removeAllListeners|exit|chdir|umask)\b|\bglobalThis\./;
const apart = globSync(unitTests).filter((path) => changesOthers.test(readFileSync(path, "utf8")));
const unit = (name: string, include: readonly string[], exclude: readonly string[], isolate: boolean) => ({
  test: {
    name,
    include: [...include],
    exclude: [...exclude],
    isolate,
    setupFiles: ["test/helpers/imports-settled.ts"],
    // Many of them wait.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Less than a test has.
    expect: { poll },
  },
});

/** Of `npm test -- long`: what has been seen to hold for long, and takes too long for every time. */
const long = ["test/integration/**/*.long.test.ts"];
/** A copy must not stall while paths and processes fail: kept apart from what boots machines. */
const faults = ["test/integration/c2c-faults/{fleet,underlay}.long.test.ts"];
/** Does next to nothing for minutes: runs beside all others. */
const waiting = ["test/integration/c2c-faults/long-cut.long.test.ts"];
/** Measures what cables carry: nothing else may run. */
const measured = ["test/integration/c2c/fairness.test.ts"];

export default defineConfig({
  test: {
    reporters: ["default"],
    projects: [
      unit("unit", unitTests, apart, false),
      unit("unit-apart", apart, [], true),
      project("contract", { include: ["test/contract/**/*.test.ts"], timeoutMs: 120_000, files: 3, turn: 1 }),
      project("integration", {
        include: ["test/integration/**/*.test.ts"],
        exclude: [...measured, ...long],
        timeoutMs: 180_000,
        files: 3,
        turn: 1,
      }),
      project("long", { include: long, exclude: [...faults, ...waiting], timeoutMs: 180_000, files: 3, turn: 1 }),
      project("faults", { include: faults, timeoutMs: 180_000, files: 2, turn: 2 }),
      project("measured", { include: measured, timeoutMs: 180_000, files: 1, turn: 3 }),
      project("waiting", { include: waiting, timeoutMs: 600_000, files: 1, turn: 4 }),
      project("e2e", { include: ["test/e2e/**/*.test.ts"], timeoutMs: 300_000, files: 1, turn: 3 }),
      project("soak", { include: ["test/soak/**/*.test.ts"], timeoutMs: 3_600_000, files: 1, turn: 5 }),
    ],
  },
});
