import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { killed } from "../../helpers/killed.js";
import { DemoTerminals, expectToFit, leave, select, sizes } from "./demo-terminals.js";

let fleet: DemoTerminals;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
}, 620_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

describe.each(sizes)("the agent of a host past a hub that was killed, at $columns x $rows", (size) => {
  it("is gone to, acts, and the hub is gone back to when it is there again", async () => {
    const { supervisor, hub } = await fleet.demo.status();
    await using terminal = await fleet.open(size, "--host alpha");
    await terminal.sees(/vm1 +alpha +● running/);
    const context = /^ zor (\S+)/m.exec(await terminal.screen())?.[1] ?? "";
    expect(context).not.toBe("");
    // Its supervisor would start it again at once.
    process.kill(supervisor?.pid ?? 0, "SIGSTOP");
    try {
      await killed(hub?.pid ?? 0);
      await terminal.sees(/✗ reconnecting, last heard \d+s ago/);
      await terminal.press(":", "agent alpha", "Enter");
      await terminal.sees(/agent of alpha[\s\S]*● live|● live[\s\S]*agent of alpha/);
      await select(terminal, "instances", "vm1", /vm1 +alpha +● running/);
      expectToFit(await terminal.screen(), size);
      await terminal.press("p");
      await terminal.sees(/vm1 +alpha +\S paused/, 120_000);
    } finally {
      process.kill(supervisor?.pid ?? 0, "SIGCONT");
      // Whatever failed, the next size begins with a hub.
      await eventually(async () => expect((await fleet.demo.status()).hub.pid ?? 0).toBeGreaterThan(0));
    }
    // What was done without the hub is known to it.
    await terminal.press(":", `ctx ${context}`, "Enter");
    await terminal.sees(new RegExp(`^ zor ${context} [^\\n]*● live`, "m"), 120_000);
    await select(terminal, "instances", "vm1", /vm1 +alpha +\S paused/);
    await terminal.press("p");
    await terminal.sees(/vm1 +alpha +● running/, 120_000);
    await leave(terminal);
  });
});
