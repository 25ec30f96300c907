import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DemoTerminals, expectToFit, leave, select, sizes, until } from "./demo-terminals.js";

let fleet: DemoTerminals;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
}, 620_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

describe.each(sizes)("an instance, at $columns x $rows", (size) => {
  const memory = 100 + size.columns;

  it("is edited as YAML in the editor, and in a form that notices that somebody was faster", async () => {
    const editor = join(fleet.directory, `edit${size.columns}`);
    await writeFile(editor, `#!/bin/sh\nexec sed -i 's/memoryMib: .*/memoryMib: "${memory}"/' "$1"\n`, { mode: 0o755 });
    await using terminal = await fleet.open(size, "", `EDITOR=${editor} VISUAL=`);
    await select(terminal, "instances", "box1", /❯ box1 +alpha +● running/);
    await terminal.press("E");
    await terminal.sees("edit instance alpha/box1");
    await terminal.press("E");
    await terminal.sees("instance alpha/box1 changed", 120_000);
    await terminal.press("d");
    expectToFit(await terminal.sees(new RegExp(`memory +${memory}M`)), size);
    await terminal.press("Escape");
    await terminal.sees(/❯ box1 +alpha/);
    await terminal.press("E");
    await until(terminal, "Down", /❯[ ✗] *memory/);
    await terminal.press("C-u", `${memory + 1}M`);
    await terminal.sees("it would be taken");
    await fleet.demo.must(["label", "instance", "alpha/box1", `owner${size.columns}=ana`]);
    await terminal.press("C-s");
    await terminal.sees("somebody has changed it meanwhile");
    await terminal.press("C-s");
    await terminal.sees("instance alpha/box1 changed", 120_000);
    const { instances } = (await fleet.demo.json(["get", "instances", "alpha/box1"])) as {
      instances: { labels: Record<string, string>; spec: { memoryMib: string } }[];
    };
    expect(instances[0]).toMatchObject({
      labels: { [`owner${size.columns}`]: "ana" },
      spec: { memoryMib: `${memory + 1}` },
    });
    await leave(terminal);
  });

  it("talks to one on another host, each at a console beside the other", async () => {
    await using terminal = await fleet.open(size);
    await select(terminal, "instances", "box1", /❯ box1 +alpha +● running/);
    await terminal.press("c");
    await terminal.sees(/console alpha\/box1 typing/);
    await terminal.press("ping -c 2 -W 10 10.77.0.22 && echo here-$((40+1))", "Enter");
    await terminal.sees("here-41");
    await terminal.press("C-]");
    await terminal.sees("leave");
    await terminal.press("Escape");
    await terminal.sees("── instances");
    await select(terminal, "instances", "box2", /❯ box2 +beta +● running/);
    await terminal.press("c");
    await terminal.sees(/1 alpha\/box1\*? .* 2 beta\/box2 .*typing/);
    await terminal.press("stty size", "Enter");
    await terminal.sees(new RegExp(`^${size.rows - 6} ${size.columns}$`, "m"));
    await terminal.press("ping -c 2 -W 10 10.77.0.12 && echo there-$((40+2))", "Enter");
    await terminal.sees("there-42");
    await terminal.press("C-]", "|");
    const both = await terminal.sees(/here-41/);
    expect(both).toContain("there-42");
    if (size.columns === 200) expect(both).toContain("│");
    expectToFit(both, size);
    await terminal.press("C-]", "D");
    await terminal.sees(/→ console (?:alpha|beta)\/box[12] ─/);
    // Keys are the program's since: Ctrl-] would be for the guest.
    await terminal.press("D");
    await terminal.sees(/── instances 1 of/);
    await leave(terminal);
  });
});
