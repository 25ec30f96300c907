import stringWidth from "string-width";
import { afterEach, describe, expect, it } from "vitest";
import { toDuration } from "../../../../lib/duration.js";
import { Link, LinkPath, type LinkStatus } from "../../../../proto/gen/zor/v1/link.js";
import { fakeA2b } from "../../../fakes/fleet-a2b.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../program.js";
import { type Shown, showOn } from "../shown.js";
import { feedFleet, upsert } from "../steps.js";

interface Screen extends TestProgram, Shown {}

const open: { unmount(): void }[] = [];

afterEach(() => {
  for (const screen of open.splice(0)) screen.unmount();
});

async function show(
  columns: number,
  rows: number,
  options: { readOnly?: boolean; ascii?: boolean } = {},
): Promise<Screen> {
  const program = makeProgram({ readOnly: options.readOnly ?? false });
  const shown = await showOn(program, { columns, rows }, { unicode: options.ascii !== true, colors: true });
  open.push(shown);
  return { ...program, ...shown };
}

function expectToFit(lines: readonly string[], columns: number): void {
  for (const line of lines) expect(stringWidth(line), line).toBeLessThanOrEqual(columns);
}

const shape = (program: TestProgram) => ({ hosts: 3, instancesPerHost: 6, unreachable: 1, nowMs: program.model.nowMs });

/** Changes the status of a link that was fed before. */
function change({ model }: TestProgram, id: string, status: Partial<LinkStatus>): void {
  const row = model.fleet.find("link", `links/${id}`);
  if (row === undefined) throw new Error(`there is no link ${id}`);
  // Rows of this kind hold links.
  const link = row.resource as Link;
  const value = Link.fromPartial({ ...link, status: { ...link.status, ...status } });
  model.fleet.apply(upsert({ kind: "link", value }), model.nowMs);
}

describe("the screen", () => {
  it("says that it is connecting before anything is known", async () => {
    const screen = await show(80, 24);
    expect(screen.lines()[0]).toContain("connecting");
    expect(screen.lines().join("\n")).toContain("reading the fleet from 127.0.0.1:7440");
  });

  it("says that the hub cannot be reached, why, and when it tries again", async () => {
    const screen = await show(80, 24);
    const { fleet, nowMs } = screen.model;
    fleet.setConnection(
      { phase: "lost", sinceMs: nowMs, reason: "connection refused", retryAtMs: nowMs + 3000 },
      nowMs,
    );
    await eventually(() => expect(screen.lines()[0]).toContain("reconnecting, never heard, again in 3s"));
    expect(screen.lines().join("\n")).toContain("connection refused");
  });

  it("keeps and fades what was last heard when the hub is lost", async () => {
    const screen = await show(80, 24);
    feedFleet(screen.model, shape(screen));
    screen.clock.nowMs += 12_000;
    const { fleet, nowMs } = screen.model;
    fleet.setConnection({ phase: "lost", sinceMs: nowMs, reason: "the hub is down", retryAtMs: undefined }, nowMs);
    await eventually(() => expect(screen.lines()[0]).toContain("last heard 12s ago"));
    expect(screen.lines().join("\n")).toMatch(/alpha +● ready/);
    expect(screen.lines().slice(-4).join("\n")).toContain("as last heard");
  });

  it("shows counts, columns and an unreachable host with its age at 80x24", async () => {
    const screen = await show(80, 24);
    feedFleet(screen.model, shape(screen));
    await eventually(() =>
      expect(screen.lines()[1]).toBe(" hosts 3 ●2 ✗1  instances 18 ●6 ○6 ◌6  lans 3  links 2 ●1 ✗1"),
    );
    const [, , title, header, first, second, third] = screen.lines();
    expect(title).toMatch(/^── hosts 3 ─+$/);
    expect(header).toMatch(/^ {2}NAME↑ +STATE +INST +MEM FREE +REASON$/);
    expect(first).toMatch(/^❯ alpha +● ready/);
    expect(second).toMatch(/^ {2}beta +● ready +3\/6/);
    expect(third).toMatch(/^ {2}gamma +✗ unreachable 14s .*no answer to 3 keepalives/);
    screen.type("2");
    await eventually(() => expect(screen.lines()[2]).toContain("instances 18"));
    screen.type("G");
    await eventually(() =>
      expect(screen.lines().join("\n")).toMatch(/❯ vm5 +gamma +◌ unreachable 14s.*last known stop/),
    );
    expectToFit(screen.lines(), 80);
  });

  it("points the arrow of the order the way the values go", async () => {
    const screen = await show(120, 24);
    feedFleet(screen.model, shape(screen));
    // Events: the newest first, so times go down.
    screen.type("6");
    await eventually(() => expect(screen.lines()[3]).toContain("TIME↓"));
    screen.type("T");
    await eventually(() => expect(screen.lines()[3]).toContain("TIME↑"));
    // Operations: the newest first, so ages go up; severities: the worst first.
    screen.type("5");
    await eventually(() => expect(screen.lines()[3]).toContain("AGE↑"));
    screen.type("6S");
    await eventually(() => expect(screen.lines()[3]).toContain("SEV↓"));
    expectToFit(screen.lines(), 120);
  });

  it("uses the room of 200x50", async () => {
    const screen = await show(200, 50);
    feedFleet(screen.model, shape(screen));
    screen.type("2");
    await eventually(() => expect(screen.lines()[2]).toContain("instances 18"));
    const header = screen.lines()[3] ?? "";
    for (const title of [
      "NAME",
      "HOST",
      "STATE",
      "DRIVER",
      "CPU",
      "MEM",
      "LANS",
      "ADDRESS",
      "UP",
      "AGE",
      "PID",
      "LABELS",
    ]) {
      expect(header).toContain(title);
    }
    expect(screen.lines()[1]).toContain("6 unreachable");
    expect(screen.lines().filter((line) => /^[❯ ] vm\d/.test(line))).toHaveLength(18);
    expectToFit(screen.lines(), 200);
  });

  it("stays aligned and harmless with hostile names, labels and reasons", async () => {
    const screen = await show(100, 40);
    feedFleet(screen.model, { ...shape(screen), hostile: true });
    for (const keys of ["2", "6", "5", "3", "4"]) {
      screen.type(keys);
      await eventually(() => expect(screen.lines()[2]).toMatch(/── \w+ \d+/));
      expect(screen.lines().join("")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      expectToFit(screen.lines(), 100);
    }
    screen.type("2");
    await eventually(() => expect(screen.lines().join("\n")).toContain("日本語の名前"));
    const hosts = screen.lines().filter((line) => line.includes("10.0.0.1/24"));
    const starts = hosts.map((line) => stringWidth(line.slice(0, line.indexOf("10.0.0.1/24"))));
    expect(new Set(starts).size).toBe(1);
    screen.type("d");
    await eventually(() => expect(screen.lines()[2]).toContain("→ instance"));
    expect(screen.lines().join("")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });

  it("shows what in-line boxes do to frames, at 80x24 too", async () => {
    const screen = await show(80, 24);
    feedFleet(screen.model, shape(screen));
    screen.model.fleet.apply(upsert(fakeA2b("alpha", "wan", screen.model.nowMs)), screen.model.nowMs);
    screen.type("7");
    await eventually(() => expect(screen.lines()[2]).toContain("── a2bs 1"));
    expect(screen.lines()[3]).toMatch(/NAME +HOST↑ +STATE +LANS +A→B +B→A/);
    expect(screen.lines()[4]).toMatch(/❯ wan +alpha +● active +lan1,lan2 +50ms±5 1% 10Mb\/s +- /);
    expectToFit(screen.lines(), 80);
    screen.resize(160, 24);
    await eventually(() => expect(screen.lines()[4]).toMatch(/ 12K +100 +20 +1m15s /));
    screen.type("\x04");
    await eventually(() => expect(screen.lines().join("\n")).toContain("Delete a2b alpha/wan?"));
  });

  it("marks an unencrypted link in words, and a link through the relay", async () => {
    const screen = await show(80, 24);
    feedFleet(screen.model, { ...shape(screen), unreachable: 0 });
    change(screen, "link1", { protection: "none" });
    change(screen, "link2", { path: LinkPath.LINK_PATH_RELAYED });
    screen.type("4");
    await eventually(() => expect(screen.lines()[2]).toContain("── links 2"));
    expect(screen.lines()[4]).toMatch(/link1 +● active +alpha\/lan1 +beta\/lan1 +direct +!PLAIN/);
    expect(screen.lines()[5]).toMatch(/link2 +● active +beta\/lan1 +gamma\/lan1 +relayed +tls/);
    screen.type("\r");
    await eventually(() => expect(screen.lines().join("\n")).toMatch(/protection +! NOT ENCRYPTED/));
  });

  it("shows the throughput of both directions or of none", async () => {
    const screen = await show(100, 24);
    feedFleet(screen.model, shape(screen));
    change(screen, "link1", { aToBBps: 12_000_000n, bToABps: 950_000n });
    screen.type("4");
    for (const width of [80, 90, 100, 110, 120, 140, 180]) {
      screen.resize(width, 24);
      await eventually(() => expect(stringWidth(screen.lines()[2] ?? "")).toBe(width));
      expect(screen.lines()[4]?.includes("12Mb/s")).toBe(screen.lines()[4]?.includes("12Mb/s 950kb/s"));
    }
    expect(screen.lines()[4]).toContain("12Mb/s 950kb/s");
  });

  it.each([false, true])("draws the course of a link's figures (ASCII %s)", async (ascii) => {
    const screen = await show(100, 50, { ascii });
    feedFleet(screen.model, shape(screen));
    screen.clock.nowMs += 10_000;
    change(screen, "link1", { lossRatio: 0.1, rtt: toDuration(21) });
    screen.clock.nowMs += 10_000;
    screen.type("4\r");
    await eventually(() => expect(screen.lines().join("\n")).toContain("Last 2 minutes"));
    const text = screen.lines().join("\n");
    expect(text).toMatch(
      ascii ? /round trip +\.+#+ +21\.0ms, most 21\.0ms/ : /round trip +▂+█+ +21\.0ms, most 21\.0ms/,
    );
    expect(text).toMatch(ascii ? /loss +_+#+ +10%, most 10%/ : /loss +▁+█+ +10%, most 10%/);
    expectToFit(screen.lines(), 100);
  });

  it.each([
    [80, { hosts: 12, unreachable: 5, instancesPerHost: 90 }, / ✗5 .* ◌450 .* ✗5$/],
    [60, { hosts: 3, unreachable: 1, instancesPerHost: 6 }, / ✗1 .* ◌6 .* ✗1$/],
    [60, { hosts: 300, unreachable: 150, instancesPerHost: 4 }, / ✗150 .*links 299 ✗150$/],
  ])("leaves no trouble out of the counts at %d columns", async (columns, fleet, counts) => {
    const screen = await show(columns, 24);
    feedFleet(screen.model, { ...fleet, nowMs: screen.model.nowMs });
    await eventually(() => expect(screen.lines()[1]).toMatch(counts));
    expect(screen.lines()[1]).not.toContain("…");
  });

  it("follows a resize, and says what it needs when it is too small", async () => {
    const screen = await show(120, 30);
    feedFleet(screen.model, shape(screen));
    screen.resize(50, 10);
    await eventually(() => expect(screen.lines()[0]).toBe("terminal is 50x10"));
    screen.resize(60, 12);
    await eventually(() => expect(screen.lines()[2]).toContain("── hosts 3"));
    expectToFit(screen.lines(), 60);
    expect(screen.lines()).toHaveLength(11);
  });

  it("shows the blast radius before it deletes", async () => {
    const screen = await show(80, 24);
    feedFleet(screen.model, shape(screen));
    screen.type("2  \x04");
    await eventually(() => expect(screen.lines().join("\n")).toContain("Delete 2 instances?"));
    const text = screen.lines().join("\n");
    expect(text).toContain("alpha/vm0  running; its disks and snapshots go with it; eth0 leaves lan1");
    expect(text).toContain("type 2 and enter to go ahead");
    expectToFit(screen.lines(), 80);
  });

  it("shows both ends of a link with reason, round trip and counters", async () => {
    const screen = await show(100, 50);
    feedFleet(screen.model, shape(screen));
    screen.type("4\r");
    await eventually(() => expect(screen.lines()[2]).toContain("link link1"));
    const text = screen.lines().join("\n");
    expect(text).toMatch(/round trip +0\.21ms/);
    expect(text).toContain("End A: alpha/lan1");
    expect(text).toContain("End B: beta/lan1");
    expect(text).toMatch(/sent +12345 frames, 1\.2M/);
  });

  it("makes its help of the key table, and of nothing more in read-only mode", async () => {
    const screen = await show(100, 140);
    screen.type("?");
    await eventually(() => expect(screen.lines().join("\n")).toMatch(/x +stop at once.*asks first/));
    const other = await show(100, 140, { readOnly: true });
    other.type("?");
    await eventually(() => expect(other.lines().join("\n")).toContain("nothing can be changed from here"));
    expect(other.lines().join("\n")).not.toContain("stop at once");
    expect(other.lines()[0]).toContain("read-only");
  });

  it("says an error in full, with its remedy, over several lines", async () => {
    const screen = await show(80, 24);
    feedFleet(screen.model, shape(screen));
    screen.type("3\x04");
    await eventually(() => expect(screen.lines().join("\n")).toContain("! cannot delete alpha/lan1: 2 plugged in"));
    expect(screen.lines().slice(-3, -1).join(" ").replace(/\s+/g, " ")).toContain(
      "detach them or delete their links first",
    );
    expect(screen.lines()).toHaveLength(23);
    expectToFit(screen.lines(), 80);
  });

  it("draws with ASCII alone when it has to", async () => {
    const screen = await show(80, 24, { ascii: true });
    feedFleet(screen.model, { ...shape(screen), hostile: true });
    screen.type("2");
    await eventually(() => expect(screen.lines()[2]).toContain("-- instances"));
    expect(screen.lines().join("")).toMatch(/^[\x20-\x7e]*$/);
  });

  it("marks a row as waiting with the age of the request", async () => {
    const screen = await show(80, 24);
    feedFleet(screen.model, shape(screen));
    screen.type("2js");
    screen.clock.nowMs += 3000;
    await eventually(() => expect(screen.lines().join("\n")).toMatch(/vm1 +alpha +○ stopped → start 3s/));
  });
});
