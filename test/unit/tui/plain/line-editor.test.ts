import { PassThrough } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { LineEditor } from "../../../../tui/plain/line-editor.js";

/** An editor with what is written, and what it told. */
function edit(columns = 80): {
  type(keys: string): void;
  hangUp(): void;
  written(): string;
  told: string[];
  editor: LineEditor;
} {
  const input = Object.assign(new PassThrough(), { isTTY: false }) as unknown as NodeJS.ReadStream;
  let out = "";
  const told: string[] = [];
  const output = {
    columns,
    write: (text: string) => {
      out += text;
    },
  };
  const editor = new LineEditor(
    { input, output },
    {
      prompt: () => "> ",
      complete: (line) => ["instances", "images", "hosts"].filter((each) => each.startsWith(line)),
      history: () => ["hosts", "instances beta"],
      onLine: (line) => told.push(line),
      onInterrupt: () => told.push("^C"),
      onEnd: () => told.push("^D"),
      onHangUp: () => told.push("hung up"),
      onStop: () => told.push("^Z"),
    },
  );
  editor.start();
  onTestFinished(() => editor.pause());
  const written = (): string => {
    const text = out;
    out = "";
    return text;
  };
  written();
  // Keys are read as soon as they come.
  const type = (keys: string): void => void input.emit("data", Buffer.from(keys));
  return { type, hangUp: () => input.emit("end"), written, told, editor };
}

describe("the editor of lines", () => {
  it("tells once that the terminal is gone, and nothing of that while somebody else has it", () => {
    const { hangUp, told, editor } = edit();
    editor.pause();
    hangUp();
    expect(told).toEqual([]);
    editor.start();
    hangUp();
    expect(told).toEqual(["hung up"]);
  });

  it("adds what is typed, takes it back with backspaces, and sends no other control", () => {
    const { type, written, told } = edit();
    type("hostz");
    type("\x7f");
    type("s\r");
    expect(told).toEqual(["hosts"]);
    expect(written()).toBe("hostz\b \bs\r\n");
  });

  it("completes what is common, and says what may follow", () => {
    const { type, written } = edit();
    type("h\t");
    expect(written()).toBe("hosts ");
    type("\x15i\t");
    expect(written()).toBe(`${"\b \b".repeat(6)}i\r\ninstances, images\r\n> i`);
    type("x\t");
    expect(written()).toBe("x\x07");
  });

  it("brings back what was typed before on a line of its own", () => {
    const { type, written, told } = edit();
    type("ab\x1b[A");
    expect(written()).toBe("ab\r\n> hosts");
    type("\x1b[A\x1b[B\x1b[B");
    expect(written()).toBe("\r\n> instances beta\r\n> hosts\r\n> ab");
    type("\r");
    expect(told).toEqual(["ab"]);
  });

  it("says what comes above what is typed, and takes wide characters and long lines back", () => {
    const { type, written, editor } = edit(10);
    type("日");
    expect(editor.isIdle).toBe(false);
    editor.say(["news"]);
    editor.show();
    expect(written()).toBe("日\r\nnews\r\n> 日");
    type("\x7f");
    expect(written()).toBe("\b \b\b \b");
    type("123456789\x7f");
    expect(written()).toBe("123456789\r\n> 12345678");
  });

  it("drops a line on ctrl-c, and ends nothing but what goes on; escapes are not typed", () => {
    const { type, told, written } = edit();
    type("stop\x03\x03\x1b[200~\x04\x1a");
    expect(told).toEqual(["^C", "^D", "^Z"]);
    expect(written()).toBe("stop\r\n> ");
  });
});
