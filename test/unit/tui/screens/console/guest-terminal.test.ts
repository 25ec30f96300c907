import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { cellFlags, trueColour } from "../../../../../tui/kit/cells/cell-line.js";
import { textWidth } from "../../../../../tui/kit/text/text-width.js";
import { GuestTerminal } from "../../../../../tui/screens/console/guest-terminal.js";

function terminal(columns = 20, rows = 4) {
  const answers: string[] = [];
  let bells = 0;
  const made = new GuestTerminal(
    { columns, rows },
    {
      onAnswer: (data) => answers.push(data),
      onBell: () => {
        bells += 1;
      },
    },
  );
  const draw = (showCursor = false) => made.draw({ showCursor, found: [], current: undefined });
  return { terminal: made, answers, draw, bells: () => bells };
}

describe("a guest's terminal", () => {
  it("has its colours and attributes in cells", async () => {
    const { terminal: guest, draw } = terminal();
    await guest.write("\x1b[1;31mA\x1b[0;38;5;200;48;5;17mB\x1b[0;38;2;1;2;3;4mC\x1b[0;7;9;3;2;8mD\x1b[0mE");
    const [line] = draw();
    expect(line?.text().trimEnd()).toBe("ABCDE");
    expect([...(line?.foreground.slice(0, 5) ?? [])]).toEqual([1, 200, trueColour(0x010203), -1, -1]);
    expect([...(line?.background.slice(0, 5) ?? [])]).toEqual([-1, 17, -1, -1, -1]);
    const { bold, underline, inverse, strike, italic, dim, hidden } = cellFlags;
    expect([...(line?.flags.slice(0, 5) ?? [])]).toEqual([
      bold,
      0,
      underline,
      inverse | strike | italic | dim | hidden,
      0,
    ]);
  });

  it("keeps wide and combining characters in their cells, and replaces what has no certain width", async () => {
    const { terminal: guest, draw } = terminal();
    await guest.write("漢字e\u0301\u0301\u0301\u0301\u0301x\u202ey\ue0b0z");
    const [line] = draw();
    expect(line?.glyphs.slice(0, 5)).toEqual(["漢", "", "字", "", "e\u0301\u0301\u0301"]);
    expect(line?.text()).not.toMatch(/[\u202e\ue0b0]/u);
    expect(line?.text()).toContain("z");
  });

  it("shows the cursor unless the guest hides it", async () => {
    const { terminal: guest, draw } = terminal();
    await guest.write("ab");
    expect(draw(true)[0]?.flags[2]).toBe(cellFlags.inverse);
    expect(draw(false)[0]?.flags[2]).toBe(0);
    await guest.write("\x1b[?25l");
    expect(draw(true)[0]?.flags[2]).toBe(0);
  });

  it("answers only to the guest, and does nothing outside of its screen", async () => {
    const { terminal: guest, answers, draw, bells } = terminal();
    await guest.write(
      "\x1b]0;owned\x07\x1b]52;c;Y2xpcA==\x07\x1b]8;;http://x\x07link\x1b]8;;\x07\x1b[21t\x1b[c\x1b[6n\x07",
    );
    expect(answers).toEqual([expect.stringMatching(/^\x1b\[\?.*c$/), "\x1b[1;5R"]);
    expect(draw()[0]?.text().trimEnd()).toBe("link");
    expect(bells()).toBe(1);
  });

  it("knows the alternate screen, and what applications want of keys", async () => {
    const { terminal: guest, draw } = terminal();
    await guest.write("shell\x1b[?1049h\x1b[?1h\x1b[?2004h\x1b[Heditor");
    expect(draw()[0]?.text().trimEnd()).toBe("editor");
    expect([guest.wantsApplicationKeys, guest.wantsPasteMarks, guest.linesAbove]).toEqual([true, true, 0]);
    await guest.write("\x1b[?1049l\x1b[?1l\x1b[?2004l");
    expect(draw()[0]?.text().trimEnd()).toBe("shell");
    expect([guest.wantsApplicationKeys, guest.wantsPasteMarks]).toEqual([false, false]);
  });

  it("finds text by its columns, wide characters before it or not", async () => {
    const { terminal: guest } = terminal();
    await guest.write("漢 Error here\r\nno\r\nerror");
    expect(guest.find("error")).toEqual([
      { line: 0, column: 3, width: 5 },
      { line: 2, column: 0, width: 5 },
    ]);
    expect(guest.find("Error")).toHaveLength(1);
    expect(guest.text()).toBe("漢 Error here\nno\nerror\n");
  });

  it("gives only harmless cells of exactly its width, whatever the guest sends", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 40 }),
            fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => Buffer.from(text)),
            fc
              .tuple(fc.constantFrom("[", "]", "P", "O", "?", "[?", "[>", "_", "^"), fc.string({ maxLength: 8 }))
              .map(([begin, rest]) => Buffer.from(`\x1b${begin}${rest}`)),
          ),
          { maxLength: 12 },
        ),
        async (pieces) => {
          const { terminal: guest, draw } = terminal(13, 3);
          for (const piece of pieces) await guest.write(piece);
          const lines = draw(true);
          expect(lines).toHaveLength(3);
          for (const line of lines) {
            expect(line.text()).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
            let cells = 0;
            for (const glyph of line.glyphs) cells += textWidth(glyph);
            expect(cells, JSON.stringify(line.glyphs)).toBe(13);
          }
          guest[Symbol.dispose]();
        },
      ),
      { numRuns: 150 },
    );
  });
});
