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

/** A copy must not stall while paths and processes fail: kept apart from what boots machines. */
const faults = ["test/integration/c2c-faults/{fleet,underlay}.test.ts"];
/** Does next to nothing for minutes: `npm test` runs it beside all others. */
const waiting = ["test/integration/c2c-faults/long-cut.test.ts"];
/** Measures what cables carry: nothing else may run. */
const measured = ["test/integration/c2c/fairness.test.ts"];

export default defineConfig({
  test: {
    reporters: ["default"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.{ts,tsx}"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Less than a test has.
          expect: { poll },
        },
      },
      project("contract", { include: ["test/contract/**/*.test.ts"], timeoutMs: 120_000, files: 3, turn: 1 }),
      project("integration", {
        include: ["test/integration/**/*.test.ts"],
        exclude: [...faults, ...measured, ...waiting],
        timeoutMs: 180_000,
        files: 3,
        turn: 1,
      }),
      project("faults", { include: faults, timeoutMs: 180_000, files: 2, turn: 2 }),
      project("measured", { include: measured, timeoutMs: 180_000, files: 1, turn: 3 }),
      project("waiting", { include: waiting, timeoutMs: 600_000, files: 1, turn: 4 }),
      project("e2e", { include: ["test/e2e/**/*.test.ts"], timeoutMs: 300_000, files: 1, turn: 3 }),
      project("soak", { include: ["test/soak/**/*.test.ts"], timeoutMs: 3_600_000, files: 1, turn: 5 }),
    ],
  },
});
