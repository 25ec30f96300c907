import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FarAway } from "../../helpers/far-away.js";
import { eventually } from "../../helpers/eventually.js";
import { DemoTerminals, leave, select, sizes } from "./demo-terminals.js";

/** There and back. */
const rttMs = 300;
/** What a screen may send each second while nothing is done, of 80x24. */
const mostIdle = 500;

let fleet: DemoTerminals;
let far: FarAway;
let contexts: string;
let near: string;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
  contexts = join(fleet.demo.configDirectory, "contexts.yaml");
  near = await readFile(contexts, "utf8");
  const [, port = ""] = /127\.0\.0\.1:(\d+)/.exec(near) ?? [];
  far = await FarAway.open(Number(port), rttMs / 2);
  await writeFile(contexts, near.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:${far.port}`));
}, 620_000);
afterAll(async () => {
  await writeFile(contexts, near);
  await far[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
}, 300_000);

describe.each(sizes)("a hub that is far away, at $columns x $rows", (size) => {
  it("is worked with as one that is near, and a screen that nobody touches sends next to nothing", async () => {
    await using terminal = await fleet.open(size);
    for (const [word, shown] of [
      ["hosts", /alpha +● ready/],
      ["instances", /vm1 +alpha +● running/],
      ["map", /demo/],
      ["pulse", /hosts +2 +● 2 ready/],
    ] as const) {
      await terminal.press(":", word, "Enter");
      await terminal.sees(shown);
      // What came with the screen has gone by.
      await delay(3000);
      const before = await stat(fleet.recording);
      await delay(10_000);
      const perSecond = ((await stat(fleet.recording)).size - before.size) / 10;
      console.log(`${word} at ${size.columns}x${size.rows}: ${perSecond} bytes a second`);
      if (size.columns === 80) expect(perSecond, word).toBeLessThanOrEqual(mostIdle);
    }
    // What needs no hub does not wait for it.
    await select(terminal, "instances", "vm1", /❯ vm1 +alpha +● running/);
    await terminal.press("p");
    await terminal.sees(/vm1 +alpha +\S \w+ → pause|vm1 +alpha +\S paused/);
    await terminal.sees(/vm1 +alpha +\S paused/, 120_000);
    await terminal.press("p");
    await terminal.sees(/vm1 +alpha +● running/, 120_000);
    await select(terminal, "instances", "box1", /❯ box1 +alpha +● running/);
    await terminal.press("c");
    await terminal.sees(/console alpha\/box1 typing/);
    await terminal.press("echo far-$((1+1))", "Enter");
    await terminal.sees("far-2");
    await terminal.press("C-]");
    await terminal.sees("leave");
    await terminal.press("Escape");
    await eventually(async () => expect(await terminal.screen()).toContain("── instances"));
    await leave(terminal);
  });
});
