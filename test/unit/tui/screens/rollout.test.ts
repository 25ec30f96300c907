import { describe, expect, it } from "vitest";
import { messageLines } from "../../../../tui/app/footer.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram, textOf } from "../program.js";
import { feedFleet } from "../steps.js";

const begins = { hosts: ["alpha", "beta", "gamma"], canaries: 1, maxParallel: 2, maxFailures: 1 };

/** An upgrade of three hosts, begun from the keyboard. */
function onUpgrade(): TestProgram {
  const program = makeProgram();
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
    expect(gateway.calls.at(-1)).toBe("zor host upgrade alpha beta gamma --canary 1 --steps");
    expect(shown(program)).toContain("looking");
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
