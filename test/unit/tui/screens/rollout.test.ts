import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { messageLines } from "../../../../tui/app/footer.js";
import { RolloutNotes } from "../../../../tui/settings/rollout-notes.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram, textOf } from "../program.js";
import { feedFleet } from "../steps.js";

const begins = { hosts: ["alpha", "beta", "gamma"], canaries: 1, maxParallel: 2, maxFailures: 1 };

/** An upgrade of three hosts, begun from the keyboard. */
function onUpgrade(notes?: RolloutNotes): TestProgram {
  const program = makeProgram({}, undefined, undefined, notes);
  feedFleet(program.model, { hosts: 2, instancesPerHost: 1, nowMs: program.model.nowMs });
  program.press(":", ..."upgrade alpha beta gamma --canary 1", "enter");
  return program;
}

function tell({ gateway }: TestProgram, ...lines: readonly object[]): void {
  for (const line of lines) gateway.rollout?.told.onLine(JSON.stringify(line));
}

const through = (host: string, given: object): object => ({
  ...{ host, result: "upgraded", changed: true, seconds: 12, notes: [], error: "" },
  ...given,
});

function shown({ model }: TestProgram, width = 80): string {
  return textOf(model.screen, width, 22).join("\n");
}

describe("hosts that are upgraded", () => {
  it.each([60, 80, 200])("are shown by how they stand, with what is being done, in %i columns", (width) => {
    const program = onUpgrade();
    const { gateway, clock } = program;
    expect(gateway.calls).toEqual(["zor host upgrade alpha beta gamma --canary 1 --steps"]);
    expect(shown(program, width)).toContain("looking");
    tell(program, { begins }, { host: "alpha", step: "connects" }, { host: "alpha", step: "sends 12 MB" });
    clock.nowMs += 7_000;
    const early = shown(program, width);
    expect(early).toMatch(/^ upgrade 3 hosts {2}◐ running/);
    expect(early).toContain("0 of 3 done  ▒ 1 under way  · 2 waits");
    expect(early).toMatch(/◐ alpha +7s {2}sends 12 MB/);
    expect(early).toContain("at most 2 at a time; 1 canary; 1 may fail, then it ends");
    tell(program, through("alpha", { notes: ["an old version stays"] }));
    tell(program, { host: "beta", step: "connects" }, through("beta", { result: "", error: "no \u001b[2Jdisk" }));
    tell(program, through("gamma", { result: "not begun", changed: false }));
    const late = shown(program, width);
    expect(late).toMatch(/● alpha +12s {2}upgraded/);
    expect(late).toMatch(/✗ beta +12s {2}no /);
    expect(late).toContain("not begun (1)");
    expect(late).toContain("alpha: an old version stays");
    expect(late).not.toContain("\u001b");
    for (const line of late.split("\n")) expect(line.length).toBeLessThanOrEqual(width);
  });

  it("are paused, gone on with, and left out when it is cancelled, which is asked first", async () => {
    const program = onUpgrade();
    const { gateway, model, press } = program;
    tell(program, { begins }, { host: "alpha", step: "connects" });
    press("p");
    expect(gateway.calls.at(-1)).toBe("say pause");
    tell(program, { paused: true });
    expect(shown(program)).toContain("‖ paused");
    press("p");
    expect(gateway.calls.at(-1)).toBe("say resume");
    tell(program, { paused: false });
    press("x", "n");
    expect(gateway.calls.at(-1)).toBe("say resume");
    press("x", "y");
    expect(gateway.calls.at(-1)).toBe("say cancel");
    tell(program, { cancelled: true }, through("alpha", {}));
    // It goes on behind other screens.
    press("esc");
    expect(model.screen.title()).not.toContain("upgrade");
    for (const host of ["beta", "gamma"]) tell(program, through(host, { result: "not begun" }));
    gateway.rollout?.told.onSaid("0 of 3 failed, 2 not begun: it was cancelled");
    gateway.rollout?.end(0);
    await eventually(() => expect(model.notice?.text).toBe("upgrade of hosts is done"));
    press(":", ..."rollout", "enter");
    expect(shown(program)).toContain("○ cancelled");
    expect(shown(program)).toContain("2 not begun: it was cancelled");
    press("r", "y");
    await eventually(() => expect(gateway.calls.at(-1)).toBe("zor host upgrade alpha beta gamma --canary 1 --steps"));
    await eventually(() => expect(shown(program)).toContain("looking"));
  });

  it("are asked about: passwords, which nobody sees, and keys of servers; later where something else is typed", () => {
    const program = onUpgrade();
    const { gateway, model, press } = program;
    tell(program, { begins }, { asks: "secret", prompt: "sudo password" });
    expect(model.prompt).toMatchObject({ title: "upgrade of hosts: sudo password", isSecret: true });
    press(..." pw ");
    expect(JSON.stringify(messageLines(model, [], 80, ""))).toMatch(/sudo password.*\u2022{4}/);
    expect(JSON.stringify(messageLines(model, [], 80, ""))).not.toContain("pw");
    press("esc");
    expect(shown(program)).toContain("! it asks: sudo password; a answers");
    press("a", ..." pw ", "enter");
    expect(gateway.calls.at(-1)).toBe("say answer  pw ");
    press(":");
    tell(program, { asks: "confirm", prompt: "trust it?", lines: ["the key of beta is not known"] });
    expect(model.prompt?.type).toBe("command");
    press("esc", "a");
    expect(model.prompt?.type).toBe("question");
    press("n");
    expect(gateway.calls.at(-1)).toBe("say decline");
    expect(JSON.stringify([...model.messages.all])).not.toContain("pw");
  });

  it("are told as what nobody can confirm when their program ends", async () => {
    const program = onUpgrade();
    const { gateway, model } = program;
    tell(program, { begins }, { host: "alpha", step: "sends 12 MB" });
    gateway.rollout?.told.onSaid("zor: killed");
    gateway.rollout?.end(137);
    await eventually(() => expect(model.notice?.text).toContain("zor: killed; :rollout shows it"));
    expect(shown(program)).toMatch(
      /✗ failed[\s\S]*\? unconfirmed \(1\)[\s\S]*alpha +.*sends 12 MB[\s\S]*not begun \(2\)/,
    );
  });

  it("are installed from flags, taken back, and told what cannot be run; in lines the terminal is given away", () => {
    const program = makeProgram({ isPlain: true });
    program.press(":", ..."install new=root@10.0.0.9 --dial-out", "enter");
    expect(program.done).toEqual(["zor host install new=root@10.0.0.9 --dial-out"]);
    const other = makeProgram();
    other.press(":", ..."rollback", "enter", ..."alpha beta", "enter");
    other.press(":", ..."upgrade --help", "enter");
    expect(other.gateway.calls).toEqual(["zor host rollback alpha beta --steps"]);
    expect(other.done).toEqual(["zor host upgrade --help"]);
  });

  it("are nothing of a read-only program", () => {
    const { press, done, gateway, model } = makeProgram({ readOnly: true });
    press(":", ..."install x", "enter");
    expect([done, gateway.calls]).toEqual([[], []]);
    expect(model.notice?.text).toContain("there is no command");
  });
});

describe("hosts that were being upgraded when the program was killed", () => {
  let directory: string;
  const directories: string[] = [];
  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), "zt-rollouts-")), "rollouts");
    directories.push(directory);
  });
  afterAll(async () => {
    for (const each of directories) await rm(join(each, ".."), { recursive: true });
  });

  /** Notes of a program that is gone since: there is no such process. */
  const killed = (): RolloutNotes => new RolloutNotes(directory, async () => ({ pid: 2 ** 30, startTicks: "1" }));
  const files = async (): Promise<readonly string[]> => readdir(directory).catch(() => []);
  /** What is in the only file. */
  const noted = async (): Promise<string> => {
    const [file = ""] = await files();
    return readFile(join(directory, file), "utf8");
  };

  /** One of three hosts is done, one under way, when the program ends; the next one runs. */
  async function cutOff(): Promise<TestProgram> {
    const program = onUpgrade(killed());
    tell(program, { begins }, { host: "alpha", step: "connects" }, through("alpha", {}));
    tell(program, { host: "beta", step: "sends 12 MB" }, { asks: "secret", prompt: "sudo password" });
    await eventually(async () => expect(await noted()).toContain("sends 12 MB"));
    program.end();
    const [file = ""] = await files();
    await appendFile(join(directory, file), '{"atMs":1,"li');
    const next = makeProgram({}, undefined, undefined, new RolloutNotes(directory));
    await next.program.rollouts.recall();
    return next;
  }

  it("are told of in the next run, as far as it was, and gone on with: then no later run tells of it", async () => {
    const next = await cutOff();
    expect(next.model.notice?.text).toBe("upgrade of hosts was broken off, 1 of 3 done; :rollout goes on");
    next.press(":", ..."rollout", "enter");
    const text = shown(next);
    expect(text).toContain("! broken off with 2 hosts to do: r goes on, x forgets it");
    expect(text).toMatch(/\? unconfirmed \(1\)[\s\S]*beta +.*sends 12 MB[\s\S]*not begun \(1\)[\s\S]*gamma/);
    expect(text).toMatch(/done \(1\)[\s\S]*alpha +12s {2}upgraded/);
    next.press("r", "y");
    await eventually(() =>
      expect(next.gateway.calls).toEqual(["zor host upgrade alpha beta gamma --canary 1 --steps"]),
    );
    tell(next, { begins }, ...begins.hosts.map((host) => through(host, {})));
    next.gateway.rollout?.end(0);
    await eventually(async () => expect(await files()).toEqual([]));
    expect(shown(next)).toContain("3 of 3 done");
    const third = makeProgram({}, undefined, undefined, new RolloutNotes(directory));
    await third.program.rollouts.recall();
    expect(third.model.notice).toBeUndefined();
  });

  it("are not told of in another context, are not gone on with by two, and are forgotten when that is asked for", async () => {
    const next = await cutOff();
    const other = makeProgram({ context: "paris" }, undefined, undefined, new RolloutNotes(directory));
    await other.program.rollouts.recall();
    expect(other.model.notice).toBeUndefined();
    const beside = makeProgram({}, undefined, undefined, new RolloutNotes(directory));
    await beside.program.rollouts.recall();
    next.press(":", ..."rollout", "enter", "x", "n");
    expect(await files()).toHaveLength(1);
    next.press("x", "y");
    await eventually(() => expect(next.model.notice?.text).toContain("forgotten"));
    expect(await files()).toEqual([]);
    beside.press(":", ..."rollout", "enter", "r", "y");
    await eventually(() => expect(beside.model.notice?.text).toContain("another zor tui"));
    expect(beside.gateway.calls).toEqual([]);
  });

  it("keep no secrets and no counts, are left alone while their program runs, and damage is no fault", async () => {
    const program = onUpgrade(new RolloutNotes(directory));
    tell(program, { begins }, { asks: "secret", prompt: "sudo password" });
    program.press(..."pw", "enter");
    for (const done of [1, 2, 3]) tell(program, { host: "alpha", step: `sends ${done} MB` });
    tell(program, { host: "alpha", step: "starts" });
    await eventually(async () => expect(await noted()).toContain("starts"));
    expect(await noted()).not.toMatch(/pw|asks|sends [23] MB/);
    const beside = makeProgram({}, undefined, undefined, new RolloutNotes(directory));
    await beside.program.rollouts.recall();
    expect(beside.model.notice).toBeUndefined();
    await writeFile(join(directory, "torn.jsonl"), '{"context":"te');
    await beside.program.rollouts.recall();
    expect([beside.model.notice, (await files()).length]).toEqual([undefined, 1]);
    program.gateway.rollout?.end(2);
    await eventually(() => expect(program.model.notice?.text).toContain(":rollout shows it"));
    // Broken off though the program runs: this one and a later one can go on with it.
    expect(shown(program)).toContain("broken off with 3 hosts to do");
  });

  it("are upgraded all the same when nothing can be noted, which is said once", async () => {
    await writeFile(directory, "no directory");
    const program = onUpgrade(new RolloutNotes(directory));
    await eventually(() => expect(program.model.notice?.text).toContain("cannot be kept for a next run"));
    tell(program, { begins }, ...begins.hosts.map((host) => through(host, {})));
    program.gateway.rollout?.end(0);
    await eventually(() => expect(shown(program)).toContain("3 of 3 done"));
    expect([...program.model.messages.all].filter(({ text }) => text.includes("cannot be kept"))).toHaveLength(1);
  });
});
