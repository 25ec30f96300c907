import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freshName } from "../../helpers/run-tag.js";
import { ReachRig, type Running } from "../../integration/reach/rig.js";

let directory: string;
let rig: ReachRig;
let events: readonly string[];
const flags = () => ["--config", join(directory, "agent.yaml")];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-shells-"));
  await writeFile(join(directory, "agent.yaml"), "hostShell:\n  user: root\n  idleMinutes: 1\n");
  rig = await ReachRig.start(flags());
  events = rig.watchEvents();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** How many processes have a word in their command line, without the shell's own. */
async function processesOf(word: string): Promise<number> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.startsWith(word)).length;
}

/** What begins, and is gone: whatever kills by pid comes too late for a chain of these. */
const rabbits = (word: string): string =>
  `$SIG{TERM} = $SIG{HUP} = "IGNORE"; $0 = "${word}"; ` +
  `for (1..12) { next if fork; setpgrp; for (;;) { exit 0 if fork } } sleep 1000`;

/** A shell that says a word once it runs, with a process of that name in the background that has left its session and ignores what it can. */
async function shellWith(script: string, word: string): Promise<Running> {
  const shell = rig.program("shell", "zt", "--", "sh", "-c", `${script}\necho begun; sleep 3000`);
  await shell.said(/begun/);
  await expect.poll(() => processesOf(word)).toBeGreaterThan(0);
  return shell;
}

/** The shell that is open. */
async function session(): Promise<string> {
  const { stdout } = await rig.zor("get", "sessions", "-o", "name");
  return stdout.trim();
}

it("ends a shell in which nothing was typed or said for as long as the host's policy has it, with what it began", async () => {
  const word = freshName();
  const begun = performance.now();
  const shell = await shellWith(`(exec setsid perl -e '$0 = "${word}"; sleep 3000') >/dev/null 2>&1 &`, word);
  const { code, stderr } = await shell.ended;
  expect(stderr).toContain("nothing was typed or said for 1 minute");
  expect(code).not.toBe(0);
  expect(performance.now() - begun).toBeGreaterThan(60_000);
  await expect.poll(() => processesOf(word)).toBe(0);
  await expect.poll(() => events).toContainEqual(expect.stringMatching(/^host\.shell-closed .*was ended: nothing was/));
  expect(await session()).toBe("");
});

it("ends one that begins processes faster than they can be killed one by one", async () => {
  const word = freshName();
  const shell = await shellWith(`(exec setsid perl -e '${rabbits(word)}') >/dev/null 2>&1 &`, word);
  expect(await rig.zor("session", "end", await session())).toMatchObject({ code: 0 });
  expect((await shell.ended).stderr).toMatch(/ended this session/);
  await expect.poll(() => processesOf(word), { timeout: 30_000 }).toBe(0);
});

it("leaves nothing of a shell when the agent is killed", async () => {
  const word = freshName();
  const script = `trap '' HUP TERM\n(exec setsid perl -e '${rabbits(word)}') >/dev/null 2>&1 &`;
  const shell = await shellWith(script, word);
  await rig.agent.end("SIGKILL");
  await expect.poll(() => processesOf(word), { timeout: 30_000 }).toBe(0);
  expect(await shell.ended).toMatchObject({ code: expect.any(Number), stderr: expect.stringMatching(/\S/) });
  await rig.agent.start(flags());
  await rig.ready();
  expect(await session()).toBe("");
  // What it left behind of control groups is removed with the next one.
  expect(await rig.zor("shell", "zt", "--", "true")).toMatchObject({ code: 0 });
  const groups = await readdir("/sys/fs/cgroup/unified").catch(() => readdir("/sys/fs/cgroup").catch(() => []));
  const isOver = await Promise.all(
    groups
      .filter((name) => name.startsWith("zor-owned-"))
      .map((name) =>
        readdir(`/proc/${name.slice(10)}`).then(
          () => false,
          () => true,
        ),
      ),
  );
  expect(isOver).not.toContain(true);
});
