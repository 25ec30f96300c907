import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { safeReplay } from "../../../../../../agent/kinds/instance/replay/safe-replay.js";

/** Output given as latin1, so that every byte can be written; UTF-8 where it says so. */
const shown = (output: string): string => safeReplay(Buffer.from(output, "latin1")).toString("latin1");

const st = "\x1b\\";

describe("what makes a terminal answer is not replayed", () => {
  it.each([
    ["DSR: cursor position", "\x1b[6n"],
    ["DSR: status", "\x1b[5n"],
    ["DSR with a parameter list", "\x1b[0;6n"],
    ["DECXCPR, printer, locator, colour scheme", "\x1b[?6n\x1b[?15n\x1b[?55n\x1b[?996n"],
    ["DA1", "\x1b[c\x1b[0c"],
    ["DA2, DA3", "\x1b[>c\x1b[>0c\x1b[=c"],
    ["DECID", "\x1bZ"],
    ["DECREQTPARM", "\x1b[x\x1b[1x"],
    ["DECRQM", "\x1b[?2026$p\x1b[4$p"],
    ["DECRQSS", `\x1bP$qm${st}\x1bP$q"p${st}`],
    ["XTGETTCAP", `\x1bP+q544e${st}`],
    ["XTVERSION", "\x1b[>q\x1b[>0q"],
    ["XTQMODKEYS and the setting of key formats", "\x1b[?4m\x1b[>4;2m"],
    ["XTSMGRAPHICS", "\x1b[?1;1;0S"],
    ["XTREPORTSGR", "\x1b[#|"],
    ["DECRQCRA", "\x1b[1;1;1;1;1;1*y"],
    ["DECRQPSR, DECRQTSR, DECRQUPSS, DECRQPKFM", "\x1b[1$w\x1b[1$u\x1b[&u\x1b[+x"],
    ["locator reports", "\x1b[1'z\x1b['|\x1b[1;2;3;4'w"],
    ["window and title reports", "\x1b[11t\x1b[13t\x1b[14t\x1b[16t\x1b[18t\x1b[19t\x1b[20t\x1b[21t\x1b[8;99;99t"],
    ["highlight tracking", "\x1b[1;1;1;5;9T"],
    [
      "OSC colours",
      `\x1b]4;1;?\x07\x1b]10;?\x07\x1b]11;?${st}\x1b]12;?\x07\x1b]4;1;red;2;?\x07\x1b]21;foreground=?${st}`,
    ],
    ["OSC clipboard, asked and set", "\x1b]52;c;?\x07\x1b]52;c;cm0gLXJm\x07"],
    [
      "OSC font, properties, pointer, notifications",
      "\x1b]50;?\x07\x1b]3;?X\x07\x1b]22;?\x07\x1b]99;i=1:p=?;\x07\x1b]9;hi\x07",
    ],
    [
      "OSC of iTerm2 and of nobody",
      "\x1b]1337;ReportCellSize\x07\x1b]777;notify;a;b\x07\x1b]5522;x\x07\x1b]\x07\x1b]x\x07",
    ],
    ["kitty graphics", `\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA${st}`],
    ["kitty keyboard", "\x1b[?u\x1b[>1u\x1b[=1;1u\x1b[<u"],
    ["tmux control mode and pass-through", `\x1bP1000p${st}\x1bPtmux;\x1b\x1b[6n${st}`],
    ["ENQ", "\x05"],
    ["ZMODEM's beginning", "\x18"],
    ["modes on whose setting a terminal reports", "\x1b[?1004h\x1b[?2031h\x1b[?2048h"],
    ["printing, column changes, 8-bit answers, VT52", '\x1b[5i\x1b[?5i\x1b[?3h\x1b[?40h\x1b G\x1b[62;0"p\x1b[?2l'],
    ["the end of UTF-8", "\x1b%@"],
    ["PM and SOS", `\x1b^x${st}\x1bXx${st}`],
    ["8-bit CSI, DCS, OSC, APC, DECID", "\x9b6n\x9bc\x90$qm\x9c\x9d11;?\x9c\x9d52;c;?\x07\x9fGa=q;\x9c\x9a"],
    ["C1 controls in UTF-8", "\xc2\x9b6n\xc2\x9bc\xc2\x90$qm\xc2\x9c\xc2\x9d11;?\xc2\x9c\xc2\x9a"],
    ["a control inside of one", "\x1b[6\x00n\x1b[\x7f6n"],
    ["one that begins inside of another", "\x1b[3\x1b[6n\x1b]0;x\x1b[6n\x1bPq\x1b[c"],
    ["what is not known", "\x1b[1;2;3v\x1b[<5y\x1b[5*|\x1b!x"],
    ["one that is longer than any", `\x1b[${"1;".repeat(400)}`],
  ])("%s", (_, query) => {
    expect(
      shown(`a${query}b`)
        .replaceAll("\x00", "")
        .replace(/^a[1;]*b$/, "ab"),
    ).toBe("ab");
  });

  it("whatever precedes it, and however it is cut", () => {
    const pieces = [
      "\x1b[6n",
      "\x1b[c",
      "\x9b5n",
      "\xc2\x9b6n",
      "\x1bZ",
      "\x05",
      "\x1b]11;?\x07",
      "\x1b[",
      "\x1b",
      "\x9d",
      "\x1bP",
    ];
    const others = [
      "abc",
      "\x1b[31m",
      "\xc4\x9b",
      "\n",
      "\x18",
      ";",
      "6",
      "\x1b]0;t\x07",
      st,
      "\xe2\x94",
      "\x9c",
      "?1;2",
    ];
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...pieces, ...others), fc.string({ unit: "binary-ascii" })), {
          maxLength: 12,
        }),
        fc.nat(40),
        (parts, cut) => {
          const text = shown(parts.join("").slice(cut));
          expect(text).not.toMatch(
            /\x1b\[[0-?]*[nc]|\x1bZ|\x05|\x1b\][\d;]*\?|\x1bP[^q0-9;]|\x1b_|[\x80-\x9f](?<![\xc2-\xf4][\x80-\xbf]{0,2}.)/,
          );
          // Nothing new stands in what has been made safe.
          expect(shown(text)).toBe(text);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("what draws is replayed as it was", () => {
  it.each([
    ["text, lines, tabs, bells", "a\tb\r\n\x07\x08c\x0e\x0f"],
    ["UTF-8", Buffer.from("Příliš žluťoučký kůň \u2500\u2713 漢字 🎉 Śmiałość ÚŮ").toString("latin1")],
    ["bytes of another character set", "caf\xe9 \xff"],
    ["colours and styles", "\x1b[0m\x1b[1;31m\x1b[38;5;9m\x1b[38:2::1:2:3mred\x1b[m"],
    ["moves and erasing", "\x1b[H\x1b[2J\x1b[10;20H\x1b[K\x1b[?2K\x1b[3A\x1b[5d\x1b[2P\x1b[1;20r\x1b[s\x1b[u\x1b[2T"],
    ["modes", "\x1b[?25l\x1b[?1049h\x1b[?1h\x1b=\x1b[?2004h\x1b[4h\x1b[?1000;1006h"],
    ["cursor, character sets, reset", "\x1b7\x1b8\x1bM\x1bD\x1bE\x1b(0lqk\x1b(B\x1b[3 q\x1b[!p\x1bc\x1b#8"],
  ])("%s", (_, output) => {
    expect(shown(output)).toBe(output);
  });

  it.each([
    ["titles", "\x1b]0;root@vm1: ~\x07", `\x1b]0;root@vm1: ~${st}`],
    ["links", `\x1b]8;;http://x/?q=1${st}x\x1b]8;;${st}`, `\x1b]8;;http://x/?q=1${st}x\x1b]8;;${st}`],
    ["colours that are set", "\x1b]4;1;rgb:ff/00/00\x07\x1b]104\x07", `\x1b]4;1;rgb:ff/00/00${st}\x1b]104${st}`],
    ["pictures", `\x1bP0;1q"1;1;1;1#0~${st}`, `\x1bP0;1q"1;1;1;1#0~${st}`],
    ["8-bit controls", "\x9b31mred\x85\x8d", "\x1b[31mred\x1bE\x1bM"],
    ["the modes of a list that report nothing", "\x1b[?25;1004;2048;1006h", "\x1b[?25;1006h"],
    ["what a sequence was interrupted by", "\x1b[3\r1mx", "\r\x1b[31mx"],
    ["what follows an unfinished string, from the next line on", "\x1b]52;c;\nlogin: ", "\nlogin: "],
    ["the character that the output ends in", "\xe2\x94", "\xe2\x94"],
    ["the sequence that the guest is just writing", "x\x1b[3", "x\x1b[3"],
    ["no string that has no end", "x\x1b]52;c;?", "x"],
    ["no unfinished sequence with a control in it", "x\x1b[6\x05", "x"],
  ])("%s", (_, output, expected) => {
    expect(shown(output)).toBe(expected);
  });
});
