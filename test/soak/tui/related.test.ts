import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DemoTerminals, expectToFit, leave, select, sizes, until } from "./demo-terminals.js";

let fleet: DemoTerminals;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
}, 620_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

describe.each(sizes)("whoever looks around, at $columns x $rows", (size) => {
  it("goes from a description to what is related, jumps on, and comes back the same way", async () => {
    await using terminal = await fleet.open(size);
    await select(terminal, "instances", "vm1", /❯ vm1 +alpha +● running/);
    await terminal.press("d");
    const described = await terminal.sees("instance alpha/vm1");
    expect(described).toMatch(/state +● running/);
    expectToFit(described, size);
    await terminal.press("/", "→ lan", "Enter");
    await terminal.sees(/→ lan +alpha\/lan1 +● up/);
    await terminal.press("Enter");
    expectToFit(await terminal.sees(/→ lan alpha\/lan1 heard/), size);
    await terminal.press("'");
    await terminal.sees("from alpha/lan1 to");
    await until(terminal, "Down", /❯ links/);
    await terminal.press("Enter");
    const links = await terminal.sees(/── links 1/);
    expect(links).toMatch(/❯ demo +● active/);
    await terminal.press("'");
    await terminal.sees("nothing is related to this");
    await terminal.press("[");
    await terminal.sees(/→ lan alpha\/lan1 heard/);
    await terminal.press("[");
    await terminal.sees(/── instances → instance alpha\/vm1 heard/);
    await terminal.press("[");
    await terminal.sees(/❯ vm1 +alpha +● running/);
    await terminal.press("]");
    await terminal.sees(/── instances → instance alpha\/vm1 heard/);
    await terminal.press("]");
    await terminal.sees(/→ lan alpha\/lan1 heard/);
    await terminal.press("]");
    await terminal.sees(/── links 1/);
    await leave(terminal);
    // The next run knows where this one was.
    await using again = await fleet.open(size);
    await again.sees(/you left at :links/);
    await again.press("`");
    await again.sees(/── links 1/);
    await leave(again);
  });
});
