import { describe, expect, it } from "vitest";
import { unavailable } from "../../../../../lib/errors.js";
import { ConsoleScreen } from "../../../../../tui/screens/console/console-screen.js";
import type { FakeConsole } from "../../../../fakes/fake-console.js";
import { eventually } from "../../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../../program.js";
import { feedFleet } from "../../steps.js";

const height = 10;

function onInstances(readOnly = false): TestProgram {
  const program = makeProgram({ readOnly });
  feedFleet(program.model, { hosts: 1, instancesPerHost: 12, nowMs: program.model.nowMs });
  program.press("2");
  return program;
}

/** Opens the console of the instance under the cursor. */
function opened(program: TestProgram): FakeConsole {
  program.press("c");
  // Not before it is known how large it is drawn.
  program.model.screen.draw(80, height);
  const guest = program.gateway.consoles.at(-1);
  if (guest === undefined) throw new Error("no console was opened");
  guest.open();
  return guest;
}

function shown({ model }: TestProgram, width = 80): string {
  if (!(model.screen instanceof ConsoleScreen)) throw new Error(`a console was expected, not ${model.screen.title()}`);
  const { lines, facts = [], aside = "" } = model.screen.draw(width, height);
  const texts = lines.map(({ line }) =>
    line
      .map(({ text }) => text)
      .join("")
      .trimEnd(),
  );
  return [`${model.screen.title()}|${facts.map(({ text }) => text).join("")}|${aside}`, ...texts].join("\n");
}

/** Waits until that is on the screen. */
async function sees(program: TestProgram, text: string | RegExp, width = 80): Promise<void> {
  const expected: unknown = typeof text === "string" ? expect.stringContaining(text) : expect.stringMatching(text);
  await eventually(() => expect(shown(program, width)).toEqual(expected));
}

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `line ${from + at}\r\n`).join("");

describe("a console in a pane", () => {
  it("shows what the guest says and sends it what is typed, whatever keys that are", async () => {
    const program = onInstances();
    const guest = opened(program);
    await guest.say("\x1b[1;31mlogin:\x1b[0m ");
    await sees(program, "login:");
    expect(shown(program)).toContain("typing");
    expect(program.gateway.calls).toEqual([expect.stringMatching(/^open hosts\/.*\/instances\/vm0:0 80x10$/)]);
    expect(guest.sizes).toEqual([]);
    for (const keys of ["root\r", "q", "\x03", "\x1a", "\x1b[15~", "\x1bOP", "\x1b[1;5C", "\x1bx", "\x1b", "?"]) {
      expect(program.controller.typed(keys)).toBe("");
    }
    expect(guest.sent).toBe("root\rq\x03\x1a\x1b[15~\x1bOP\x1b[1;5C\x1bx\x1b?");
    expect(program.controller.commands.map(({ keys }) => keys)).toEqual([["ctrl-]"]]);
  });

  it("gives applications the arrows that they ask for, and marks what is pasted for whoever asks for that", async () => {
    const program = onInstances();
    const guest = opened(program);
    program.controller.typed("\x1b[A\x1b[200~a\nb\x1d\x1b[31mc\x1b[201~\x1b[B");
    expect(guest.sent).toBe("\x1b[Aa\rb\x1d[31mc\x1b[B");
    guest.sent = "";
    await guest.say("\x1b[?1h\x1b[?2004hready");
    await sees(program, "ready");
    program.controller.typed("\x1b[A\x1b[200~a\nb\x1b[20");
    program.controller.typed("1~\x1b[H");
    expect(guest.sent).toBe("\x1bOA\x1b[200~a\rb\x1b[201~\x1bOH");
  });

  it("takes keys for itself after Ctrl-], in one piece or not, until i", () => {
    const program = onInstances();
    const guest = opened(program);
    expect(program.controller.typed("ls\x1di")).toBe("i");
    expect(guest.sent).toBe("ls");
    expect(shown(program)).not.toContain("typing");
    expect(program.controller.typed("x")).toBe("x");
    program.press("i");
    expect(shown(program)).toContain("typing");
    program.controller.typed("\x1d");
    program.press("ctrl-]");
    expect(guest.sent).toBe("ls\x1d");
    expect(shown(program)).toContain("typing");
  });

  it("scrolls back, stays there while the guest goes on, and searches", async () => {
    const program = onInstances();
    const guest = opened(program);
    await guest.say(numbered(1, 40));
    await sees(program, "line 40");
    program.controller.typed("\x1d");
    program.press("pgup");
    expect(shown(program)).toContain("line 23\n");
    expect(shown(program)).toContain("9 lines up");
    await guest.say(numbered(41, 60));
    await sees(program, "29 lines up");
    expect(shown(program)).toContain("line 23\n");
    program.press("/", ..."LINE", "enter");
    expect(program.model.notice?.text).toBe('"LINE" was not said');
    program.press("/", ..."line 5", "enter");
    expect(shown(program)).toContain("/line 5 11 of 11");
    expect(shown(program)).toContain("line 59");
    program.press("n");
    expect(shown(program)).toMatch(/\/line 5 1 of 11[\s\S]*line 5\n/);
    program.press("N", "N");
    expect(shown(program)).toContain("/line 5 10 of 11");
    program.press("esc");
    expect(shown(program)).toMatch(/line 60\n$/);
    expect(shown(program)).not.toContain("/line 5");
    program.press("esc");
    expect(program.model.screen).not.toBeInstanceOf(ConsoleScreen);
  });

  it("keeps several open, marks those that said something, and comes back to each as it was", async () => {
    const program = onInstances();
    const first = opened(program);
    await first.say("I am the first\r\n");
    await sees(program, "I am the first");
    program.controller.typed("\x1d");
    program.press("esc", "down");
    const second = opened(program);
    await second.say("I am the second\r\n");
    await first.say("\x07still here\r\n");
    await sees(program, / 1 alpha\/vm0! {2}2 alpha\/vm1 /);
    await sees(program, "I am the second");
    program.controller.typed("\x1d");
    program.press("1");
    expect(shown(program)).toMatch(/I am the first\nstill here/);
    expect(shown(program)).toContain("typing");
    program.controller.typed("uptime\r");
    expect([first.sent, second.sent]).toEqual(["uptime\r", ""]);
    program.controller.typed("\x1d");
    program.press("esc", ":", ..."consoles", "enter");
    expect(shown(program)).toContain("still here");
    program.press("D");
    expect(first.request.signal.aborted).toBe(true);
    expect(shown(program)).toContain("console alpha/vm1|");
    program.press("D");
    expect(program.model.screen).not.toBeInstanceOf(ConsoleScreen);
  });

  it("shows two beside each other, or above each other where there is no room, and tells each its size", async () => {
    const program = onInstances();
    const first = opened(program);
    program.controller.typed("\x1d");
    program.press("esc", "down");
    const second = opened(program);
    await first.say("first");
    await second.say("second");
    program.controller.typed("\x1d");
    program.press("|");
    await sees(program, /^ alpha\/vm0 .*│ alpha\/vm1\nfirst .*│second$/m, 200);
    expect([first.sizes.at(-1), second.sizes.at(-1)]).toEqual(["99x9", "100x9"]);
    expect(shown(program, 80)).toMatch(/alpha\/vm0\nfirst\n[\s\S]* alpha\/vm1\nsecond\n/);
    expect([first.sizes.at(-1), second.sizes.at(-1)]).toEqual(["80x4", "80x4"]);
    program.controller.typed("to the second\x1d");
    program.press("left");
    program.controller.typed("to the first");
    expect([first.sent, second.sent]).toEqual(["to the first", "to the second"]);
    program.controller.typed("\x1d");
    program.press("|");
    expect(shown(program, 200)).not.toContain("│");
  });

  it("opens no more than it can keep", () => {
    const program = onInstances();
    for (let count = 0; count < 10; count += 1) {
      program.press("c");
      program.model.screen.draw(80, height);
      program.controller.typed("\x1d");
      if (count < 9) program.press("esc", "down");
    }
    expect(program.gateway.consoles).toHaveLength(9);
    expect(program.model.notice?.text).toContain("9 consoles are open, and no more can be");
  });

  it("says that the connection is lost and why, and that it is back", async () => {
    const program = onInstances();
    const guest = opened(program);
    await guest.say("before\r\n");
    await sees(program, "before");
    guest.lose("the hub is away");
    expect(shown(program)).toContain("the connection was lost (the hub is away); trying to have it back");
    expect(shown(program)).toContain("before");
    program.controller.typed("reboot\r");
    expect(guest.sent).toBe("");
    expect(program.model.notice?.text).toContain("was not sent");
    guest.open({ missing: true });
    expect(shown(program)).toContain("attached again; some of the output meanwhile may be missing");
    guest.open();
    expect(shown(program)).not.toContain("[zor");
  });

  it("says how it ended, lets nothing typed act here, and attaches again on enter", async () => {
    const program = onInstances();
    const guest = opened(program);
    guest.end("the instance stopped");
    await eventually(() => expect(shown(program)).toContain("the instance stopped; enter attaches again"));
    expect(program.controller.typed("sx")).toBe("");
    expect(program.gateway.consoles).toHaveLength(1);
    program.controller.typed("\r");
    expect(program.gateway.consoles).toHaveLength(2);
    expect(shown(program)).toContain("attaching to alpha/vm0");
  });

  it("is left with esc once it ended, and says meanwhile that what is typed goes nowhere", async () => {
    const program = onInstances();
    const guest = opened(program);
    guest.end("the instance stopped");
    await sees(program, "what is typed goes nowhere: enter opens it again, esc leaves");
    expect(shown(program)).not.toContain(" typing|");
    expect(program.controller.typed("\x1b")).toBe("\x1b");
    program.press("esc");
    expect(program.model.screen).not.toBeInstanceOf(ConsoleScreen);
  });

  it("says why it cannot be opened to its end, on as many lines as that takes", async () => {
    const program = onInstances();
    const why =
      "hosts/alpha gives nobody a shell: its administrator allows that there, with the agent's setting hostShell";
    program.gateway.failure = unavailable("NO_SHELL", "", why);
    program.press("1", "c");
    await eventually(() => expect(shown(program).replaceAll(/\s+/g, " ")).toContain(`${why}; enter tries again`));
  });

  it("says why it cannot be opened", async () => {
    const program = onInstances();
    program.gateway.failure = unavailable("HOST_LOST", "", "the host was lost");
    program.press("c");
    await eventually(() => expect(shown(program)).toContain("cannot attach: the host was lost"));
  });

  it("only looks where that was asked for, or where the role may do no more", async () => {
    const program = onInstances(true);
    program.press("o");
    shown(program);
    const [guest] = program.gateway.consoles;
    guest?.open({ writable: false, others: ["bob (looks)"] });
    await guest?.say("\x1b[c\x1b[6nhello");
    await sees(program, "hello");
    expect(program.gateway.calls[0]).toMatch(/ looks /);
    expect(shown(program)).toMatch(/\(looks\)\|.*\|also attached: bob \(looks\)/);
    program.controller.typed("x");
    expect(guest?.sent).toBe("");
    const other = onInstances();
    program.press("esc");
    opened(other).open({ writable: false });
    expect(shown(other)).not.toContain("typing");
    other.press("i");
    expect(other.model.notice?.text).toContain("your role may look, not type");
  });

  it("sends what was typed before it was open, and gives the whole terminal on F", () => {
    const program = onInstances();
    program.press("c");
    program.controller.typed("early\r");
    program.model.screen.draw(80, height);
    const [guest] = program.gateway.consoles;
    guest?.open();
    expect(guest?.sent).toBe("early\r");
    program.controller.typed("\x1d");
    program.press("F", "=");
    expect(program.done).toEqual([expect.stringMatching(/^console hosts\/.*vm0$/)]);
    expect(guest?.sent).toBe("early\rstty rows 10 cols 80\r");
  });

  it("leaves all consoles when the program ends", () => {
    const program = onInstances();
    const guest = opened(program);
    program.end();
    expect(guest.request.signal.aborted).toBe(true);
  });
});

describe("a guest that prints without end", () => {
  it("is drawn in few frames, and keys reach it long before it has ended", async () => {
    const program = onInstances();
    const guest = opened(program);
    let frames = 0;
    program.model.subscribe(() => {
      frames += 1;
    });
    const piece = Buffer.from("\x1b[32mthe quick brown fox\x1b[0m jumps over the lazy dog\r\n".repeat(300));
    const pieces = 400;
    let said = 0;
    const flood = (async () => {
      for (; said < pieces; said += 1) await guest.say(piece);
    })();
    let typedAt = -1;
    setImmediate(() => {
      program.controller.typed("\x03");
      typedAt = said;
    });
    await flood;
    expect(piece.length * pieces).toBeGreaterThan(5e6);
    expect(guest.sent).toBe("\x03");
    expect(typedAt).toBeLessThan(pieces / 2);
    expect(frames).toBeLessThan(pieces);
    await guest.say("done\r\n");
    await sees(program, "done");
  }, 60_000);
});

describe("a shell of a host in a pane", () => {
  it("is opened on a host, has no serial port to be told its size at, and another one is another shell", async () => {
    const program = makeProgram();
    feedFleet(program.model, { hosts: 1, instancesPerHost: 1, nowMs: program.model.nowMs });
    program.press("1", "c");
    program.model.screen.draw(80, height);
    const guest = program.gateway.consoles.at(-1);
    if (guest === undefined) throw new Error("no shell was opened");
    expect(program.gateway.calls).toEqual([expect.stringMatching(/^open hosts\/[^/]+:0 80x10$/)]);
    await sees(program, /^shell \S+\|[\s\S]*opening a shell on/);
    guest.open();
    program.controller.typed("id\r");
    expect(guest.sent).toBe("id\r");
    program.press("ctrl-]");
    expect(program.model.screen.kind?.kind).toBe("host");
    const keys = program.controller.commands.flatMap((command) => command.keys);
    expect(keys).not.toContain("=");
    guest.end("zor://user/bob ended this session");
    await sees(program, "zor://user/bob ended this session; enter opens another");
  });

  it("is nothing of a read-only program", () => {
    const program = onInstances(true);
    program.press("1", "c");
    expect(program.gateway.consoles).toEqual([]);
  });
});
