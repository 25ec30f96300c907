import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../../agent/host/exec.js";
import { ZorError } from "../../../../lib/errors.js";
import { readGiven } from "../../../../tui/cli/input/read-given.js";

let directory: string;
const never = new AbortController().signal;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-given-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function makePipe(name: string): Promise<string> {
  const path = join(directory, name);
  await run("mkfifo", [path]);
  return path;
}

it("reads a pipe to its end, however late and in how many pieces it is written", async () => {
  const path = await makePipe("late");
  const reading = readGiven("--file", path, { signal: never });
  const text = `${"kind: lan\n".repeat(20_000)}\u00e9`;
  await writeFile(path, text);
  expect(await reading).toBe(text);
});

it.each<[string, () => NodeJS.ReadableStream | undefined]>([
  ["a pipe that nobody writes into", () => undefined],
  ["standard input that says nothing", () => new PassThrough()],
])("gives up %s when it is told to, with what is no fault of the command line", async (what, input) => {
  const from = input();
  const file = from === undefined ? await makePipe(what.replaceAll(" ", "-")) : "-";
  const stop = new AbortController();
  const reading = readGiven("--file", file, { ...(from === undefined ? {} : { input: from }), signal: stop.signal });
  stop.abort();
  const error = await reading.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(ZorError);
});

it("reads no more than it may: a device that never ends, and standard input, are refused", async () => {
  const how = { signal: never, mostBytes: 1024 * 1024 };
  const tooLarge = (message: string) => ({ reason: "INVALID_FIELD", message: expect.stringContaining(message) });
  await expect(readGiven("--file", "/dev/zero", how)).rejects.toMatchObject(tooLarge("/dev/zero is larger than 1 MiB"));
  const input = new PassThrough();
  input.end(Buffer.alloc(1024 * 1024 + 1));
  await expect(readGiven("--file", "-", { ...how, input })).rejects.toMatchObject(
    tooLarge("standard input is larger than 1 MiB"),
  );
});

it("takes a byte order mark away, and tells of a directory and of no name in words", async () => {
  const marked = join(directory, "marked");
  await writeFile(marked, "\ufeff{}");
  expect(await readGiven("json", marked, { signal: never })).toBe("{}");
  await expect(readGiven("--file", directory, { signal: never })).rejects.toThrow(/is a directory$/);
  await expect(readGiven("--file", "", { signal: never })).rejects.toThrow(/"" does not exist$/);
});
