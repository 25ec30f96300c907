import headless from "@xterm/headless";
import { expect, it, onTestFinished } from "vitest";
import { Canvas } from "../../../../../tui/app/canvas.js";
import { lineCells } from "../../../../../tui/app/line-cells.js";
import { screenLines } from "../../../../../tui/app/screen-lines.js";
import type { SeenFrame } from "../../../../../tui/screens/frames/frame-source.js";
import { makeProgram } from "../../program.js";
import { feedFleet } from "../../steps.js";

/** What a guest may want a terminal to take: a title, another screen, colours, a question that is answered, what hides, what is wide. */
const hostile = {
  title: "\x1b]0;owned\x07",
  clipboard: "\x1b]52;c;aGk=\x07",
  screen: "\x1b[?1049h\x1b[2J\x1b[H\x1bc",
  question: "\x1b[c\x1b[6n\x05",
  c1: "\x9b2J\x9d0;owned\x9c\x90q\x9c",
  lines: "a\r\nb\x08\x0b\x0c\x00\x7f",
  bidi: "\u202eabc\u2066\u200f\u200b\ufeff",
  wide: "漢字👩‍👩‍👧‍👦Ａ🇩🇪\u0301\u0301\u0301\u0301\u0301",
  huge: "x".repeat(60_000),
} as const;

const u8 = (value: number): Buffer => Buffer.from([value]);
const u16 = (value: number): Buffer => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
const hex = (text: string): Buffer => Buffer.from(text, "hex");
const macs = hex("020000000002020000000001");

function ip(protocol: number, payload: Buffer): Buffer {
  const head = [hex("4500"), u16(20 + payload.length), hex("0001000040"), u8(protocol), hex("00000a0000010a000002")];
  return Buffer.concat([macs, hex("0800"), ...head, payload]);
}

function udp(port: number, payload: Buffer): Buffer {
  return ip(17, Buffer.concat([u16(port), u16(port), u16(8 + payload.length), u16(0), payload]));
}

const label = (text: Buffer): Buffer => Buffer.concat([u8(Math.min(63, text.length)), text.subarray(0, 63)]);
const entry = (type: number, data: Buffer): Buffer => {
  const kept = data.subarray(0, 511);
  return Buffer.concat([u16((type << 9) | kept.length), kept]);
};

/** Frames that carry a text in each place from which one is shown. */
function framesWith(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text, "utf8");
  const raw = Buffer.from(text, "latin1");
  return [bytes, raw].flatMap((said) => {
    const name = Buffer.concat([label(said), label(said), label(said), u8(0)]);
    const question = Buffer.concat([hex("000101000001000000000000"), name, hex("00010001")]);
    const record = Buffer.concat([name, hex("000c000100000078"), u16(name.length), name]);
    const announced = Buffer.concat([hex("000084000000000100000000"), record]);
    const request = Buffer.concat([hex("474554202f"), said, hex("20485454502f312e310d0a486f73743a20"), said]);
    const host = Buffer.concat([hex("474554202f20485454502f312e310d0a486f73743a20"), said, hex("0d0a0d0a")]);
    const answer = Buffer.concat([hex("485454502f312e312032303020"), said, hex("0d0a0d0a")]);
    const tcp = (data: Buffer): Buffer =>
      ip(6, Buffer.concat([hex("9c40005000000001000000095018ffff00000000"), data.subarray(0, 40_000)]));
    const lldp = [entry(1, Buffer.concat([u8(7), said])), entry(2, Buffer.concat([u8(7), said]))];
    const more = [entry(3, hex("0078")), entry(4, said), entry(5, said), entry(6, said), hex("0000")];
    const asked = Buffer.concat([hex("0c"), u8(Math.min(255, said.length)), said.subarray(0, 255), hex("ff")]);
    const dhcp = Buffer.concat([hex("0101060012345678"), Buffer.alloc(228), hex("63825363350101"), asked]);
    return [
      udp(53, question),
      udp(5353, announced),
      ...[request, host, answer].map(tcp),
      Buffer.concat([macs, hex("88cc"), ...lldp, ...more]),
      udp(67, dhcp),
      Buffer.concat([macs, hex("88b5"), said.subarray(0, 9000)]),
    ];
  });
}

const startUs = Date.UTC(2026, 0, 2, 3, 4, 5) * 1000;
const seen = (data: Buffer, at: number): SeenFrame => ({
  ...{ at: 0, timeUs: startUs + at, length: data.length, data, block: data },
});

/** A terminal that the program draws on, and what it was made to do beside showing cells. */
function onTerminal(columns: number, rows: number) {
  const made = makeProgram();
  feedFleet(made.model, { hosts: 1, instancesPerHost: 1, nowMs: made.model.nowMs });
  made.press("2", "ctrl-k");
  const { listener } = made.gateway.passing.at(-1) ?? {};
  listener?.onRunning(true);
  listener?.onInterface("alpha/vm0:eth0");
  const terminal = new headless.Terminal({ cols: columns, rows, allowProposedApi: true });
  onTestFinished(() => terminal.dispose());
  const acted: string[] = [];
  terminal.onTitleChange((title) => acted.push(`title ${title}`));
  terminal.onBell(() => acted.push("bell"));
  terminal.onData((data) => acted.push(`answers ${JSON.stringify(data)}`));
  terminal.buffer.onBufferChange(({ type }) => acted.push(`buffer ${type}`));
  const written: string[] = [];
  const size = { columns, rows };
  const write = (data: string): boolean => {
    written.push(data);
    return true;
  };
  const canvas = new Canvas({ write, isFull: false, size }, { depth: "256", ascii: false });
  const draw = async (): Promise<readonly string[]> => {
    const look = { unicode: true, colors: true };
    const lines = screenLines(made.model, made.controller, size).map((line) => lineCells(line, columns, look));
    canvas.want(lines, size);
    canvas.refresh();
    await new Promise<void>((resolve) => terminal.write(written.splice(0).join(""), resolve));
    return Array.from({ length: rows }, (_, row) => terminal.buffer.active.getLine(row)?.translateToString(true) ?? "");
  };
  return { ...made, listener, draw, acted };
}

it.each(Object.entries(hostile))("nothing that a frame holds acts on a terminal: %s", async (_, text) => {
  for (const [columns, rows] of [
    [80, 30],
    [160, 40],
  ] as const) {
    const { listener, draw, acted, press } = onTerminal(columns, rows);
    const frames = framesWith(text);
    const before = await draw();
    listener?.onFrames(frames.map(seen));
    const list = await draw();
    // Only the frames' own lines, what is counted of them and the list's place in it have changed; each stands in a line of its own.
    expect([list[0], list.at(-2)]).toEqual([before[0], before.at(-2)]);
    expect(list.filter((line) => /^ +(?:\d+ )?03:04:05\.\d+ /.test(line))).toHaveLength(frames.length);
    expect(list.filter((line) => line.includes("03:04:05."))).toHaveLength(frames.length);
    press("enter");
    for (let count = 0; count < frames.length; count += 1) {
      const page = await draw();
      expect(page.join("\n")).toContain(`frame ${frames.length - count}`);
      press("left");
    }
    expect(acted).toEqual([]);
  }
});

it("what they say is shown all the same, decoded and with what would act made visible", async () => {
  const { listener, draw } = onTerminal(160, 40);
  listener?.onFrames(framesWith("vm\x1b[2J漢").map(seen));
  const text = (await draw()).join("\n");
  expect(text).toContain("question A vm\\x1b[2J");
  expect(text).toContain("announces vm\\x1b[2J");
  expect(text).toMatch(/ HTTP +\d+ 200 vm\\x1b\[2J/);
  expect(text).toMatch(/ HTTP +\d+ GET vm\\x1b\[2J/);
  expect(text).toMatch(/ LLDP +\d+ vm\\x1b\[2J漢 at port vm\\x1b\[2J漢/);
  expect(text).toMatch(/ DHCP +\d+ discover as vm\\x1b\[2J/);
});
