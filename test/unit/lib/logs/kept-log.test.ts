import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { KeptLog } from "../../../../lib/logs/kept-log.js";
import type { LogPosition, OpenLog } from "../../../../lib/logs/open-log.js";

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  // What goes to standard error is not looked at here.
  const writeSync = (fd: number, data: Buffer) => {
    if (fd === 2 && data.includes("nobody reads")) throw Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
    return fd === 2 ? data.length : fs.writeSync(fd, data);
  };
  return { ...fs, writeSync };
});

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const line = (words: string, time = 1_700_000_000_000) => `{"level":30,"time":${time},"msg":"${words}"}\n`;
const read = async (log: KeptLog, resume?: LogPosition): Promise<OpenLog> => log.open({ follow: false, resume });
const wordsOf = ({ past }: Pick<OpenLog, "past">) =>
  past.map(({ data }) => /"msg":"(\w+)/.exec(Buffer.from(data).toString())?.[1]);

it("keeps what earlier runs wrote, with when, for its owner alone", async () => {
  new KeptLog(directory, "agent").write(line("one", 1_700_000_000_001));
  const log = new KeptLog(directory, "agent");
  log.write(line("two"));
  const found = await read(log);
  expect(wordsOf(found)).toEqual(["one", "two"]);
  expect(found.past[0]?.timeMs).toBe(1_700_000_000_001);
  expect((await stat(join(directory, "agent.log"))).mode & 0o777).toBe(0o600);
});

it("is kept when standard error takes nothing any more", async () => {
  const log = new KeptLog(directory, "agent");
  log.write(line("nobody reads"));
  expect(wordsOf(await read(log))).toEqual(["nobody"]);
});

it("goes on from a place, over the change to a new file, and bounds its files", async () => {
  const log = new KeptLog(directory, "agent");
  const filler = "x".repeat(100_000);
  log.write(line("first"));
  const place = (await read(log)).past.at(-1)?.end;
  for (let count = 0; count < 60; count += 1) log.write(line(`n${count}_${filler}`));
  expect((await readdir(directory)).toSorted()).toEqual(["agent.log", "agent.log.1"]);
  const after = await read(log, place);
  expect(after.resumed).toBe(true);
  expect(after.past).toHaveLength(60);
  for (let count = 0; count < 60; count += 1) log.write(line(`m${count}_${filler}`));
  expect((await stat(join(directory, "agent.log.1"))).size).toBeLessThanOrEqual(4 * 1024 * 1024);
  expect((await read(log, place)).resumed).toBe(false);
});

it("gives who follows every line once, and cuts off who does not read", async () => {
  const log = new KeptLog(directory, "agent");
  log.write(line("before"));
  const opening = log.open({ follow: true, resume: undefined });
  log.write(line("meanwhile"));
  const followed = await opening;
  log.write(line("after"));
  expect(wordsOf(followed)).toEqual(["before"]);
  const live = [];
  for await (const part of followed.live) {
    live.push(part);
    if (live.length === 2) await followed.close();
  }
  expect(wordsOf({ past: live })).toEqual(["meanwhile", "after"]);
  const slow = await log.open({ follow: true, resume: undefined });
  for (let count = 0; count < 5000; count += 1) log.write(line("flood"));
  await expect(Array.fromAsync(slow.live)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
});

it("goes on where it cannot be kept", async () => {
  await writeFile(join(directory, "file"), "");
  const log = new KeptLog(join(directory, "file"), "agent");
  log.write(line("one"));
  expect((await read(log)).past).toEqual([]);
});
