import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { readPcapng } from "../../helpers/pcapng-reader.js";
import { DemoTerminals, expectToFit, leave, select, sizes } from "./demo-terminals.js";

let fleet: DemoTerminals;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
}, 620_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

const captures = async () => (await readdir(fleet.directory)).filter((name) => name.endsWith(".pcapng"));

/** Frames of the newest file that was not there before. */
async function framesIn(before: readonly string[]): Promise<readonly Uint8Array[]> {
  const [file = ""] = (await captures()).filter((name) => !before.includes(name));
  return readPcapng(await readFile(join(fleet.directory, file))).frames.map(({ data }) => data);
}

/** ICMP in IPv4, of an echo reply. */
const isReply = (frame: Uint8Array) => frame[23] === 1 && frame[34] === 0;

async function ping(): Promise<void> {
  await fleet.demo.must(["exec", "beta/box2", "--", "ping", "-c", "1", "-W", "10", "10.77.0.12"]);
}

describe.each(sizes)("frames, at $columns x $rows", (size) => {
  it("are seen as they pass, picked, and saved for Wireshark", async () => {
    await using terminal = await fleet.open(size);
    await select(terminal, "instances", "box1", /❯ box1 +alpha +● running/);
    await terminal.press("C-k");
    await terminal.sees("nothing has passed yet");
    await eventually(async () => {
      await ping();
      expect(await terminal.screen()).toMatch(/10\.77\.0\.22 +10\.77\.0\.12 +ICMP +98 echo request/);
    });
    expectToFit(await terminal.screen(), size);
    await terminal.press("/", "echo reply", "Enter");
    await terminal.sees(/\/echo reply \d+ of \d+/);
    const before = await captures();
    await terminal.press("W");
    await terminal.sees(/frames? in \//);
    const saved = await framesIn(before);
    expect(saved.length).toBeGreaterThan(0);
    expect(saved.every(isReply)).toBe(true);
    await terminal.press("Escape");
    await terminal.press("Escape");
    await terminal.sees(/❯ box1 +alpha/);
    await leave(terminal);
  });

  it("of a link are captured into a file while other things are looked at", async () => {
    await using terminal = await fleet.open(size);
    await select(terminal, "links", "demo", /❯ demo +● active/);
    const before = await captures();
    await terminal.press("f");
    await eventually(async () => expect((await captures()).length).toBe(before.length + 1));
    await terminal.press("2");
    await terminal.sees("── instances");
    await eventually(async () => {
      await ping();
      expect((await framesIn(before)).filter(isReply).length).toBeGreaterThan(0);
    });
    await select(terminal, "links", "demo", /❯ demo +● active/);
    await terminal.press("f");
    await terminal.sees(/\d+ frames?/);
    await leave(terminal);
    expect((await framesIn(before)).filter(isReply).length).toBeGreaterThan(0);
  });
});
