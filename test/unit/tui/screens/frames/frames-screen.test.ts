import { describe, expect, it } from "vitest";
import { FrameScreen } from "../../../../../tui/screens/frames/frame-screen.js";
import type { SeenFrame } from "../../../../../tui/screens/frames/frame-source.js";
import { FramesScreen } from "../../../../../tui/screens/frames/frames-screen.js";
import { eventually } from "../../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../../program.js";
import { feedFleet } from "../../steps.js";

const name = "hosts/alpha/instances/vm0";
const startUs = Date.UTC(2026, 0, 2, 3, 4, 5) * 1000;

/** A ping, or its answer, with a number. */
function ping(sequence: number, at = 0): SeenFrame {
  const type = sequence % 2 === 0 ? "00" : "08";
  const head = "020000000002020000000001" + "0800" + "4500001c00010000400100000a0000010a000002";
  const data = Buffer.from(`${head}${type}0000000007${sequence.toString(16).padStart(4, "0")}`, "hex");
  return { at, timeUs: startUs + sequence * 1500, length: data.length, data, block: data };
}

const pings = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => ping(from + at));

function opened(): TestProgram {
  const program = makeProgram();
  feedFleet(program.model, { hosts: 1, instancesPerHost: 1, nowMs: program.model.nowMs });
  program.press("2", "ctrl-k");
  return program;
}

/** The host captures. */
function begin(program: TestProgram): void {
  watch(program).listener.onRunning(true);
  watch(program).listener.onInterface("alpha/vm0:eth0");
}

function onFrames(): TestProgram {
  const program = opened();
  begin(program);
  return program;
}

/** Who was told to watch last. */
function watch({ gateway }: TestProgram) {
  const last = gateway.passing.at(-1);
  if (last === undefined) throw new Error("nothing is watched");
  return last;
}

function shown({ model }: TestProgram, width = 80, height = 9): string {
  const { lines, facts = [], aside = "" } = model.screen.draw(width, height);
  const texts = lines.map(
    ({ line, selected }) => `${selected === true ? ">" : " "}${line.map(({ text }) => text).join("")}`,
  );
  return [`${model.screen.title()}|${facts.map(({ text }) => text).join("")}|${aside}`, ...texts].join("\n");
}

describe("the frames of something", () => {
  it("are shown as they come, decoded, the newest under the cursor, and within the screen", () => {
    const program = onFrames();
    expect(program.gateway.calls).toEqual([`frames ${name}`]);
    expect(shown(program)).toContain("nothing has passed yet");
    watch(program).listener.onFrames(pings(1, 20));
    expect(shown(program)).toMatch(/^frames of alpha\/vm0\| 20 frames following\|$/m);
    expect(shown(program)).toContain("TIME         FROM            TO              PROTO  BYTES WHAT");
    expect(shown(program)).toMatch(/^> 03:04:05\.030 10\.0\.0\.1 +10\.0\.0\.2 +ICMP +42 echo reply, id 7, se…$/m);
    expect(shown(program)).not.toContain("seq 12\n");
    for (const line of shown(program).split("\n").slice(1)) expect(line.length).toBeLessThanOrEqual(81);
    watch(program).listener.onInterface("alpha/vm0:eth1");
    expect(shown(program, 160)).toMatch(/> +20 03:04:05\.030000 alpha\/vm0:eth0 /);
  });

  it("are followed only from when the host has said that it captures, each time anew", () => {
    const program = opened();
    const { listener } = watch(program);
    const head = (): string => shown(program).split("\n")[0] ?? "";
    expect(head()).toBe(
      "frames of alpha/vm0| 0 frames starting|the host begins to capture; what passes now is not seen yet",
    );
    listener.onRunning(true);
    expect(head()).toBe("frames of alpha/vm0| 0 frames starting|nothing of it is there yet that frames could pass");
    listener.onInterface("alpha/vm0:eth0");
    expect(head()).toBe("frames of alpha/vm0| 0 frames following|nothing has passed yet");
    listener.onFrames(pings(1, 2));
    listener.onRunning(false);
    expect(head()).toBe("frames of alpha/vm0| 2 frames away|");
    listener.onRunning(true);
    expect(head()).toBe("frames of alpha/vm0| 2 frames following|");
    program.press("B", ..."icmp", "enter");
    listener.onRunning(true);
    expect(head()).toContain("| 0 frames starting  only icmp|");
  });

  it("stay where one looks while more come, until one is at the end again", () => {
    const program = onFrames();
    watch(program).listener.onFrames(pings(1, 20));
    program.press("g");
    watch(program).listener.onFrames(pings(21, 30));
    expect(shown(program, 120)).toMatch(/^> +1 .*seq 1$/m);
    expect(shown(program, 120)).toMatch(/\| 30 frames\|/);
    program.press("pgdn");
    expect(shown(program, 120)).toMatch(/^> +9 /m);
    program.press("G");
    watch(program).listener.onFrames(pings(31, 31));
    expect(shown(program, 120)).toMatch(/^> +31 /m);
  });

  it("are only counted while it is paused", () => {
    const program = onFrames();
    watch(program).listener.onFrames(pings(1, 2));
    program.press("space");
    watch(program).listener.onFrames(pings(3, 7));
    expect(shown(program, 120)).toContain("| 2 frames paused, 5 passed by|");
    program.press("space");
    watch(program).listener.onFrames(pings(8, 8));
    expect(shown(program, 120)).toMatch(/^> +3 .*seq 8$/m);
  });

  it("are filtered here by words, and at the host by beginning anew", () => {
    const program = onFrames();
    watch(program).listener.onFrames(pings(1, 10));
    program.press("/", ..."reply", "enter");
    expect(shown(program, 120)).toContain("/reply 5 of 10");
    watch(program).listener.onFrames(pings(11, 12));
    expect(shown(program, 120)).toContain("/reply 6 of 12");
    expect(shown(program, 120)).not.toContain("request");
    program.press("esc");
    expect(shown(program, 120)).toContain("request");
    const before = watch(program);
    program.press("B", ..."icmp and host 10.0.0.1", "enter");
    expect(before.signal.aborted).toBe(true);
    expect(program.gateway.calls.at(-1)).toBe(`frames ${name} icmp and host 10.0.0.1`);
    before.listener.onFrames(pings(1, 3));
    begin(program);
    expect(shown(program, 120)).toContain("| 0 frames following  only icmp and host 10.0.0.1|");
  });

  it("are looked at one by one, with layers and bytes, and stay as they are meanwhile", () => {
    const program = onFrames();
    watch(program).listener.onFrames(pings(1, 5));
    program.press("enter");
    expect(program.model.screen).toBeInstanceOf(FrameScreen);
    watch(program).listener.onFrames(pings(6, 9));
    const text = shown(program, 80, 60);
    expect(text).toContain("frame 5|");
    expect(text).toContain("2026-01-02 03:04:05.007500, 42 bytes, at alpha/vm0:eth0");
    expect(text).toMatch(/ICMP {2}bytes 34 to 42\n +type 8 echo request\n/);
    expect(text).toMatch(/0020 {2}00 02 08 00 00 00 00 07 {2}00 05 +\.\.\.\.\.\.\.\.\.\./);
    program.press("left", "left", "right");
    expect(shown(program, 80, 60)).toContain("frame 4|");
    program.press("esc");
    expect(shown(program, 120)).toMatch(/^> +4 /m);
  });

  it("are written as they are shown", async () => {
    const program = onFrames();
    watch(program).listener.onFrames(pings(1, 10));
    program.press("/", ..."reply", "enter", "W");
    await eventually(() => expect(program.model.notice?.text).toBe("5 frames in /tmp/a.pcapng"));
    expect(program.gateway.calls.at(-1)).toBe(`write ${name} alpha/vm0:eth0`);
    expect(program.gateway.written).toHaveLength(5);
  });

  it("are kept up to a bound, and what was lost is told", () => {
    const program = onFrames();
    watch(program).listener.onFrames(pings(1, 3));
    program.press("g");
    for (let round = 0; round < 20; round += 1) watch(program).listener.onFrames(pings(1, 1000));
    watch(program).listener.onLost(7);
    watch(program).listener.onNotice("the capture was lost (the hub is away); trying to go on");
    const text = shown(program, 120);
    expect(text).toContain("| 20003 frames, 7 lost|the capture was lost (the hub is away)");
    expect(program.model.screen.draw(120, 9).extent.length).toBeLessThanOrEqual(5500);
    expect(text).toMatch(/^> +1\d{4} /m);
  });

  it("say why they cannot be had, or have ended", async () => {
    const program = onFrames();
    program.gateway.watchEnd.resolve("the host ended it");
    await eventually(() => expect(shown(program)).toContain("the capture has ended: the host ended it"));
    program.press("esc");
    expect(program.model.screen).not.toBeInstanceOf(FramesScreen);
    program.gateway.failure = new Error("you may only look");
    program.press("ctrl-k");
    await eventually(() => expect(shown(program)).toContain("the capture has ended: you may only look; B begins anew"));
  });

  it("end with the screen", () => {
    const program = onFrames();
    const { signal } = watch(program);
    program.press("esc");
    expect(signal.aborted).toBe(true);
  });
});
