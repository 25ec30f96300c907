import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killed } from "../../helpers/killed.js";
import type { Terminal } from "../../helpers/tmux.js";
import { DemoTerminals, expectToFit, leave, sizes } from "./demo-terminals.js";

let fleet: DemoTerminals;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
}, 620_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

/** Dim is 2. */
const greyed = /\x1b\[(?:0;)?2m(?:\x1b\[[\d;]*m)*vm1/;

/** The line of a row as it is drawn, with its colours. */
async function drawn(terminal: Terminal, row: RegExp): Promise<string> {
  const at = (await terminal.screen()).split("\n").findIndex((line) => row.test(line));
  return (await terminal.tmux("capture-pane", "-p", "-e")).split("\n")[at] ?? "";
}

describe.each(sizes)("a hub that is lost, at $columns x $rows", (size) => {
  it("leaves what was known, dated and greyed, and everything goes on when it is back", async () => {
    const status = await fleet.demo.status();
    const supervisor = status.supervisor?.pid ?? 0;
    const hub = status.hub?.pid ?? 0;
    await using terminal = await fleet.open(size, "--host alpha");
    await terminal.sees(/vm1 +alpha +● running/);
    expect(await drawn(terminal, /vm1 +alpha/)).not.toMatch(greyed);
    // Its supervisor would start it again at once.
    process.kill(supervisor, "SIGSTOP");
    try {
      await killed(hub);
      const lost = await terminal.sees(/✗ reconnecting, last heard \d+s ago/);
      expect(lost).toMatch(/vm1 +alpha +● running/);
      expectToFit(lost, size);
      expect(await drawn(terminal, /vm1 +alpha/)).toMatch(greyed);
      // Whoever asks for something is told, and nothing is pending for ever.
      await terminal.press("/", "vm1", "Enter");
      await terminal.sees("── instances(alpha) 1 of");
      await terminal.press("p");
      await terminal.sees(/not connected|hub is away|cannot be reached|lost|reconnect/);
      await terminal.sees(/last heard (?:[5-9]|\d\d)s ago/);
    } finally {
      process.kill(supervisor, "SIGCONT");
    }
    await terminal.sees("● live", 120_000);
    const back = await terminal.sees(/vm1 +alpha +● running/);
    expect(back).not.toContain("→ pause");
    expect(await drawn(terminal, /vm1 +alpha/)).not.toMatch(greyed);
    await terminal.press("p");
    await terminal.sees(/vm1 +alpha +\S paused/, 120_000);
    await terminal.press("p");
    await terminal.sees(/vm1 +alpha +● running/, 120_000);
    await leave(terminal);
  });
});
