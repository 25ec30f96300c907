import { PassThrough, Writable } from "node:stream";
import { expect, test } from "vitest";
import type { Remote } from "../../../../tui/cli/install/remote.js";
import { type HostJob, type RunOptions, runOnHosts } from "../../../../tui/cli/install/run-hosts.js";
import { tryOut } from "../../../../tui/cli/install/trial.js";
import { Session } from "../../../../tui/cli/session.js";
import { Steps } from "../../../../tui/cli/install/steps.js";

class Kept extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString("utf8");
    done();
  }
}

/** Works on hosts of which those named fail, one after the other. */
async function work(names: readonly string[], failing: readonly string[], options: Partial<RunOptions> = {}) {
  const [output, errors] = [new Kept(), new Kept()];
  const input = Object.assign(new PassThrough(), { isRaw: false, isTTY: false, setRawMode: () => undefined });
  const io = { terminal: { input, output }, errors, env: {}, signal: new AbortController().signal };
  const session = new Session(io, {});
  const jobs = names.map(
    (name): HostJob => ({
      name,
      run: async () => {
        if (failing.includes(name)) throw new Error("it broke");
        return { text: "done", changed: true, notes: [] };
      },
    }),
  );
  await runOnHosts(session, jobs, { output: "json", maxParallel: 1, ...options }, () => undefined);
  const { hosts } = JSON.parse(output.text) as { hosts: { host: string; result: string; error: string }[] };
  const results = hosts.map(({ host, result, error }) => `${host}: ${result || error}`);
  return { results, said: errors.text, code: session.exitCode };
}

test("those that are first are done before the others, and all are in one answer", async () => {
  const { results, said, code } = await work(["a", "b", "c"], [], { canaries: 1 });
  expect(results).toEqual(["a: done", "b: done", "c: done"]);
  expect(said).toContain("first: a");
  expect(code).toBe(0);
});

test("when one of the first fails, no other is begun, and that is said of each", async () => {
  const { results, said, code } = await work(["a", "b", "c", "d"], ["b"], { canaries: 2 });
  expect(results).toEqual(["a: done", "b: it broke", "c: not begun", "d: not begun"]);
  expect(said).toContain("1 of 4 failed, 2 not begun: one of the first failed");
  expect(code).toBe(11);
});

test("one that fails keeps no other, unless more failed than may", async () => {
  const names = ["a", "b", "c", "d"];
  expect((await work(names, ["a", "b"])).results).toEqual(["a: it broke", "b: it broke", "c: done", "d: done"]);
  const { results, said, code } = await work(names, ["a", "b"], { maxFailures: 1 });
  expect(results).toEqual(["a: it broke", "b: it broke", "c: not begun", "d: not begun"]);
  expect(said).toContain("2 of 4 failed, 2 not begun: more than 1 failed");
  expect(code).toBe(12);
  expect((await work(names, ["a"], { maxFailures: 0 })).results.slice(1)).toEqual([
    ...["b: not begun", "c: not begun", "d: not begun"],
  ]);
});

/** A change that is tried out on a host that says `words` of itself. */
function trial(more: Partial<Parameters<typeof tryOut>[0]>, words = "") {
  const done: string[] = [];
  const parts = {
    // Of the remote, only what the program said last is read.
    remote: { root: async () => ({ code: 0, stdout: words, stderr: "" }) } as unknown as Remote,
    ...{ unit: "zor-agent", resource: "hosts/a", signal: new AbortController().signal, undone: "rolled back to V1" },
    step: (text: string) => void done.push(text),
    go: async () => 2n,
    isWell: async (_pid: bigint): Promise<unknown> => undefined,
    back: async () => 3n,
    wasWell: async (pid: bigint): Promise<unknown> => done.push(`looks at ${pid}`),
    ...more,
  };
  return { done, result: tryOut(parts) };
}
const fails = (words: string) => async () => Promise.reject(new Error(words));

test("a change stays when the program is well, and is taken back by itself when it is not", async () => {
  await trial({}).result;
  const { done, result } = trial({ isWell: fails("no session") }, "bad luck");
  await expect(result).rejects.toMatchObject({
    reason: "ROLLED_BACK",
    message: "rolled back to V1, it runs as before, because: no session; the new agent said: bad luck",
  });
  expect(done).toEqual(["waits for the new agent to answer", "rolls back", "looks at 3"]);
});

test("a way back that does not help is said, with both reasons", async () => {
  for (const more of [{ wasWell: fails("still none") }, { back: fails("still none") }])
    await expect(trial({ go: fails("no unit"), ...more }).result).rejects.toThrow(
      "rolled back to V1, and that did not help: still none, because: no unit",
    );
});

test("what was interrupted is left for the next run", async () => {
  const { done, result } = trial({ isWell: fails("aborted"), signal: AbortSignal.abort() });
  await expect(result).rejects.toThrow("aborted");
  expect(done).not.toContain("rolls back");
});

/** Works on hosts for a program that looks on: what it is told, and what is wanted of it by what is told. */
async function looksOn(names: readonly string[], say: (line: string) => string | undefined, failing: string[] = []) {
  const told: string[] = [];
  const input = Object.assign(new PassThrough(), { isRaw: false, isTTY: false, setRawMode: () => undefined });
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      for (const line of chunk.toString("utf8").trimEnd().split("\n")) {
        told.push(line);
        const answer = say(line);
        if (answer === "end") input.end();
        else if (answer !== undefined) input.write(`${answer}\n`);
      }
      done();
    },
  });
  const io = { terminal: { input, output }, errors: new Kept(), env: {}, signal: new AbortController().signal };
  const session = new Session(io, {});
  using steps = new Steps(io);
  const jobs = names.map(
    (name): HostJob => ({
      name,
      run: async (step) => {
        step("asks");
        const password = await steps.questions.secret("sudo password");
        if (failing.includes(name)) throw new Error("it broke");
        return { text: password ?? "nothing", changed: true, notes: [] };
      },
    }),
  );
  await runOnHosts(session, jobs, { output: "text", maxParallel: 1, canaries: 1, steps }, () => undefined);
  const lines = told.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { lines, code: session.exitCode };
}

test("a program that looks on is told every step, answers what is asked, pauses and goes on", async () => {
  const { lines, code } = await looksOn(["a", "b"], (line) => {
    if (line.includes('"asks"')) return "answer  s3cret ";
    if (line.includes('"host":"a","result"')) return "pause";
    return line.includes('"paused":true') ? "resume" : undefined;
  });
  expect(lines[0]).toEqual({ begins: { hosts: ["a", "b"], canaries: 1, maxParallel: 1 } });
  const kinds = lines.map((line) => `${"host" in line ? `${String(line["host"])} ` : ""}${Object.keys(line).at(-1)}`);
  expect(kinds.slice(0, 5)).toEqual(["begins", "a step", "a step", "prompt", "a seconds"]);
  expect(lines).toContainEqual({ asks: "secret", prompt: "sudo password" });
  expect(lines).toContainEqual({ paused: true });
  expect(lines).toContainEqual({ paused: false });
  expect(lines.filter((line) => "result" in line).map((line) => line["result"])).toEqual([" s3cret ", " s3cret "]);
  expect(code).toBe(0);
});

test("cancelled, also while it is paused, it begins no other host", async () => {
  const { lines, code } = await looksOn(["a", "b", "c"], (line) => {
    if (line.includes('"asks"')) return "decline";
    if (line.includes('"host":"a","result"')) return "pause";
    return line.includes('"paused":true') ? "cancel" : undefined;
  });
  const results = lines
    .filter((line) => "result" in line)
    .map((line) => `${String(line["host"])} ${String(line["result"])}`);
  expect(results).toEqual(["a nothing", "b not begun", "c not begun"]);
  expect(code).toBe(0);
  expect((await looksOn(["a"], () => "decline", ["a"])).code).not.toBe(0);
});

test("whoever says nothing any more gives no answers; what was paused begins no other", async () => {
  const { lines } = await looksOn(["a", "b", "c"], (line) => {
    if (line.includes('"host":"a","result"')) return "pause";
    if (line.includes('"asks"')) return "answer one";
    return line.includes('"paused":true') ? "end" : undefined;
  });
  expect(lines.filter((line) => "result" in line).map((line) => line["result"])).toEqual([
    ...["one", "not begun", "not begun"],
  ]);
  const first = await looksOn(["a"], (line) => (line.includes('"begins"') ? "end" : undefined));
  expect(first.lines.find((line) => "result" in line)?.["result"]).toBe("nothing");
});
