import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { DemoTerminals, expectToFit, leave, sizes, until } from "./demo-terminals.js";

let fleet: DemoTerminals;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
}, 620_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

async function aToB(): Promise<unknown> {
  const { links } = (await fleet.demo.json(["get", "links"])) as { links: { spec: { aToB?: unknown } }[] };
  return links[0]?.spec.aToB;
}

describe.each(sizes)("a link, at $columns x $rows", (size) => {
  it("is impaired from the map in a form, is told there and in its diagnosis, and is as it was again", async () => {
    const before = await aToB();
    await using terminal = await fleet.open(size);
    await terminal.press(":", "map", "Enter");
    await until(terminal, "+", /map of every plug/);
    await until(terminal, "Tab", /link demo active/);
    await terminal.press("E");
    await terminal.sees("edit link demo");
    await until(terminal, "Down", /❯[ ✗] *a to b/);
    await terminal.press("Enter");
    await until(terminal, "Down", /❯[ ✗] *delay/);
    await terminal.press("20ms");
    await until(terminal, "Down", /❯[ ✗] *loss ratio/);
    await terminal.press("1%");
    const typed = await terminal.sees("it would be taken");
    expect(typed).toContain("$ zor set link demo");
    expectToFit(typed, size);
    await terminal.press("C-s");
    const impaired = await terminal.sees("≈ demo");
    expect(impaired).toContain("link demo");
    await terminal.sees(/link demo active.*→20ms 1%/);
    expectToFit(await terminal.screen(), size);
    expect(await aToB()).toMatchObject({ delay: "0.020s", lossRatio: 0.01 });
    await terminal.press("D");
    expectToFit(
      await terminal.sees(/conclusion +● all hops work[\s\S]*but they\s+are\s+impaired\s+on\s+purpose/, 120_000),
      size,
    );
    await terminal.press("Escape");
    await terminal.sees("link demo active");
    await terminal.press("C-u");
    await terminal.sees("● demo");
    await eventually(async () => expect(await aToB()).toEqual(before));
    await leave(terminal);
  });
});
