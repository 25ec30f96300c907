import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { DemoTerminals, expectToFit, leave, select, sizes } from "./demo-terminals.js";

let fleet: DemoTerminals;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
  await fleet.container("alpha/kept", "--persistent");
}, 620_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

const inGuest = (line: string) => fleet.demo.must(["exec", "alpha/kept", "--", "sh", "-c", line]);

describe.each(sizes)("the tree of snapshots, at $columns x $rows", (size) => {
  const id = `before-${size.columns}`;

  it("takes one, and takes the instance back to it", async () => {
    await inGuest(`echo one-${size.columns} > /root/mark`);
    await using terminal = await fleet.open(size);
    await select(terminal, "instances", "kept", /❯ kept +alpha +● running/);
    await terminal.press("C-t");
    await terminal.sees("snapshots of alpha/kept");
    await terminal.press("n");
    const form = await terminal.sees("→ new snapshot");
    expect(form).toMatch(/ instance +kept/);
    await terminal.press("Down");
    await terminal.press(id);
    await terminal.sees("it would be taken");
    expect(await terminal.screen()).toContain(`$ zor create snapshot alpha/${id} kept`);
    await terminal.press("C-s");
    const taken = await terminal.sees(new RegExp(`● snapshot ${id} ready ◂ now`), 120_000);
    expect(taken).toContain("you are here: ● instance kept running");
    expectToFit(taken, size);
    await inGuest("echo two > /root/mark");
    // The cursor is on what was made.
    await terminal.sees(new RegExp(`◂ now[\\s\\S]*● snapshot ${id} ready ◂ now.*\n`));
    await terminal.press("r");
    const asked = await terminal.sees(/press y|type/);
    expect(asked).toContain(id);
    await terminal.press("y");
    await eventually(async () => expect((await inGuest("cat /root/mark")).trim()).toBe(`one-${size.columns}`), 120_000);
    const back = await terminal.sees(/you are here: ● instance kept running/, 120_000);
    expect(back).toMatch(new RegExp(`● snapshot ${id} ready ◂ now`));
    await leave(terminal);
  });
});
