import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DemoTerminals, expectToFit, leave, sizes } from "./demo-terminals.js";

/** More than go on at once: their wave is shown by itself. */
const names = Array.from({ length: 9 }, (_, index) => `alpha/w${index + 1}`);
let fleet: DemoTerminals;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
  for (const name of names) await fleet.container(name, "--leave-stopped");
}, 620_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

describe.each(sizes)("a wave, at $columns x $rows", (size) => {
  it("is shown as soon as it has begun, with each of what it is done to, and found again", async () => {
    await fleet.demo.must(["stop", "--yes", ...names]).catch(() => undefined);
    await using terminal = await fleet.open(size);
    await terminal.press("2", "/", "state=stopped and name~^w", "Enter");
    await terminal.sees(/── instances 9 of \d+ /);
    await terminal.press("C-a");
    await terminal.sees("9 marked");
    await terminal.press("s");
    await terminal.sees("Start 9 instances?");
    await terminal.press("y");
    const shown = await terminal.sees(
      /wave start 9 instances[\s\S]*● succeeded +for \w+[\s\S]*9 of 9 done[\s\S]*● done \(9\)/,
      120_000,
    );
    expectToFit(shown, size);
    expect(shown).toMatch(/● alpha\/w1 /);
    await terminal.press("Escape");
    await terminal.sees(/── instances 0 of \d+ /);
    await terminal.press(":", "operations", "Enter");
    await terminal.sees(/❯ wave\.instance\.\S+ /);
    await terminal.press("w");
    await terminal.sees(/wave start 9 instances[\s\S]*9 of 9 done/);
    await leave(terminal);
  });
});
