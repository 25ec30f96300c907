import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readableLogLine } from "../../../../tui/kit/text/json-log-line.js";
import { followOwnLog } from "../../../../tui/session/follow-own-log.js";
import { saveText } from "../../../../tui/session/save-text.js";

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "zor-log-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

it("follows the log of this program, also after it was set aside", async () => {
  const path = join(await directory(), "tui.log");
  const line = (msg: string): string =>
    `${JSON.stringify({ level: 40, time: 1_700_000_000_000, pid: 1, name: "tui", msg, verb: "stop" })}\n`;
  await writeFile(path, line("one"));
  const ending = new AbortController();
  const lines = followOwnLog(path, ending.signal);
  const next = async (): Promise<string> => (await lines.next()).value?.text ?? "";
  expect(await next()).toBe("WARN  one verb=stop");
  await appendFile(path, line("two"));
  expect(await next()).toBe("WARN  two verb=stop");
  await rename(path, `${path}.old`);
  await writeFile(path, line("three"));
  expect(await next()).toBe("WARN  three verb=stop");
  ending.abort();
  expect((await lines.next()).done).toBe(true);
});

it("says that there is none", async () => {
  await expect(followOwnLog("", new AbortController().signal).next()).rejects.toThrow("writes no log");
});

it("shows lines of programs for people, and others as they are", () => {
  const time = new Date(5);
  expect(readableLogLine({ text: '{"level":30,"time":7,"msg":"m","err":{"code":1}}', time: undefined })).toEqual({
    text: 'INFO  m err={"code":1}',
    time: new Date(7),
  });
  for (const text of ["plain", '{"level":30,', "{}", '{"level":"odd"}x']) {
    expect(readableLogLine({ text, time })).toEqual({ text, time });
  }
});

it("saves a text for its owner alone, and touches nothing that is there", async () => {
  const path = join(await directory(), "a.log");
  await saveText(path, "text");
  await expect(saveText(path, "other")).rejects.toThrow("there is one of that name");
  await expect(saveText(join(path, "b"), "other")).rejects.toThrow(/ENOTDIR/);
});
