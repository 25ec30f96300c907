import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestDemo } from "../../e2e/test-demo.js";
import { DemoTerminals, sizes, until } from "./demo-terminals.js";

let fleet: DemoTerminals;
let demo: TestDemo;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
  demo = fleet.demo;
}, 620_000);

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

describe.each(sizes)("forms in a terminal of $columns x $rows", (size) => {
  const { columns } = size;
  const id = `f${columns}`;

  it("make an instance that runs, and change it", async () => {
    await using terminal = await fleet.open(size);
    await terminal.press("2");
    await terminal.sees("── instances");
    await terminal.press("n");
    await terminal.sees("── instances → new instance");
    await terminal.press("C-u");
    await terminal.press("al");
    await terminal.press("Tab");
    await terminal.sees(/❯[ ✗] *host +alpha/);
    await terminal.press("Down");
    await terminal.press(id);
    await until(terminal, "Down", /❯[ ✗] *driver/);
    await terminal.press("c");
    await until(terminal, "Down", /❯[ ✗] *rootfs/);
    await terminal.press("micro");
    await terminal.sees("it would be taken");
    expect(await terminal.screen()).toContain(`$ zor create instance alpha/${id} --driver crun`);
    await terminal.press("C-s");
    await terminal.sees(new RegExp(`❯ +${id} +.*● running`), 120_000);
    await terminal.press("E");
    await terminal.sees(`edit instance alpha/${id}`);
    await until(terminal, "Down", /❯[ ✗] *memory/);
    await terminal.press("C-u");
    await terminal.press("160M");
    await terminal.sees("it would be taken");
    await terminal.press("C-s");
    await terminal.sees(`instance alpha/${id} changed`, 120_000);
    const made: unknown = await demo.json(["get", "instances", `alpha/${id}`]);
    expect(JSON.stringify(made)).toContain('"memoryMib":"160"');
  });

  it("draw a cable on the map, which becomes active there", async () => {
    const [a, b] = [`a${columns}`, `b${columns}`];
    for (const each of [a, b]) {
      await demo.must(["create", "instance", `alpha/${each}`, "--rootfs", "micro", "--nic", "name=eth0"], {
        timeoutMs: 120_000,
      });
    }
    await using terminal = await fleet.open(size);
    await terminal.press("2", "/", a, "Enter");
    await terminal.sees(new RegExp(`❯ +${a} `));
    await terminal.press("b");
    await terminal.sees(`instance alpha/${a} running`);
    await terminal.press("W");
    await terminal.sees(`cable from alpha/${a}:eth0`);
    await until(terminal, "Tab", new RegExp(`instance alpha/${b} running`));
    await terminal.press("Enter");
    await terminal.sees("map → new wire");
    await terminal.sees("it would be taken");
    await terminal.press("C-s");
    await terminal.sees(new RegExp(`wire alpha/${a}-${b} active`), 120_000);
    await terminal.press("q");
  });
});
