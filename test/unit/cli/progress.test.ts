import { Writable } from "node:stream";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { showProgress } from "../../../tui/cli/output/progress.js";

function terminal(columns: number) {
  const written: string[] = [];
  const output = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      written.push(chunk);
      done();
    },
  });
  return { written, output: Object.assign(output, { isTTY: true, columns }) };
}

const operation = Operation.fromPartial({ step: "漢字漢字漢字漢字漢字漢字 \x1b[2J", progressPercent: 7 });

describe("progress", () => {
  it("stays on one line of the terminal, in cells, whatever the step says", () => {
    const { written, output } = terminal(30);
    showProgress(output, { TERM: "xterm" }, "linking").update(operation);
    const [line = ""] = written;
    expect(line.startsWith("\r\x1b[K")).toBe(true);
    expect(stringWidth(line.slice(4))).toBeLessThan(30);
    expect(line.slice(4)).not.toContain("\x1b");
  });

  it("is a line a step where nothing can be written over", () => {
    const { written, output } = terminal(30);
    using progress = showProgress(output, { TERM: "dumb" }, "linking");
    progress.update(operation);
    progress.update(operation);
    expect(written).toEqual(["linking: 漢字漢字漢字漢字漢字漢字 \\x1b[2J\n"]);
  });

  it("is a line each tenth of what is counted, and one for every other step", () => {
    const { written, output } = terminal(30);
    using progress = showProgress(output, { TERM: "dumb" }, "copying");
    const tell = (step: string, progressPercent = 0): void =>
      progress.update(Operation.fromPartial({ step, progressPercent }));
    tell("checks");
    for (let done = 0; done <= 400; done++) tell(`sends ${done} of 400 MB`);
    tell("unpacks");
    expect(written.map((line) => line.slice("copying: ".length, -1))).toEqual([
      "checks",
      ...Array.from({ length: 11 }, (_, tenth) => `sends ${tenth * 40} of 400 MB`),
      "unpacks",
    ]);
  });

  it("is a line each tenth of everything where the step does not say how much there is", () => {
    const { written, output } = terminal(30);
    using progress = showProgress(output, { TERM: "dumb" }, "copying");
    for (let percent = 0; percent < 50; percent++)
      progress.update(Operation.fromPartial({ step: `block ${percent * 7}`, progressPercent: percent }));
    expect(written.map((line) => line.trim())).toEqual([0, 10, 20, 30, 40].map((at) => `copying: block ${at * 7}`));
  });
});
