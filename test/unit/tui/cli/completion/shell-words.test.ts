import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { run } from "../../../../../agent/host/exec.js";
import { bashReply, quoted, readWord, wordsOfLine, zshMatch } from "../../../../../tui/cli/completion/shell-words.js";

const breaks = " \t\n\"'@><=;|&(:";
const bash = { shell: "bash", keepsBlanks: false, isEnd: false, breaks } as const;

describe("words as shells read them", () => {
  it.each<[string, string, string]>([
    ["'kind=kvm and st", "kind=kvm and st", "'"],
    ['"a \\"b', 'a "b', '"'],
    ['"a\\n', "a\\n", '"'],
    ["a\\ b'c d'\"e", "a bc de", '"'],
    ["state\\>", "state>", ""],
    ["x\\", "x", ""],
  ])("%s in bash is %s", (raw, text, open) => {
    expect(readWord(raw, "bash")).toMatchObject({ text, open });
  });

  it("have escapes between single quotes in fish alone", () => {
    expect(readWord("'it\\'s", "fish")).toMatchObject({ text: "it's", open: "'" });
    expect(readWord("'it\\'s", "zsh")).toMatchObject({ text: "it\\s", open: "" });
    expect(readWord("'it\\'s", "plain")).toMatchObject({ text: "'it\\'s", open: "" });
  });

  it("are parted by blanks that stand in no quotes", () => {
    expect(wordsOfLine("zor query  'a b' c\\ d \"e f")).toEqual(["zor", "query", "'a b'", "c\\ d", '"e f']);
    expect(wordsOfLine("zor query ")).toEqual(["zor", "query", ""]);
    expect(wordsOfLine("zor a\\\\ b")).toEqual(["zor", "a\\\\", "b"]);
  });
});

describe("what a shell puts in", () => {
  it.each<[string, string, string | undefined]>([
    ["sta", "start", "start"],
    ["alpha/vm1:/et", "alpha/vm1:/etc/", "/etc/"],
    ["alpha/vm1:", "alpha/vm1:/etc/", "/etc/"],
    ["--filter=state=ru", "--filter=state=running", "running"],
    ["state\\=ru", "state=running", "state=running"],
    ["'state=ru", "state=running", "state=running"],
    ["--filter='state=ru", "--filter=state=running", "state=running"],
    ["'owner=", `owner="it's"`, `owner="it'\\''s"`],
    ['"owner=', 'owner="$HOME"', 'owner=\\"\\$HOME\\"'],
    ["owner=", 'owner="a b"', '\\"a\\ b\\"'],
    ["other", "start", "start"],
    ["a=other", "start", undefined],
    ['"name!', "name!~x", undefined],
    ['"state!', "state!=x", "state!=x"],
  ])("for %s and %s is %s in bash", (raw, wanted, reply) => {
    expect(bashReply(readWord(raw, "bash"), wanted, bash)).toBe(reply);
  });

  it.each([
    ['"owner=', 'owner="ana"', 'owner=\\"ana\\""'],
    ['"owner=', "owner=ana", "owner=ana"],
    ["'owner=", "owner='", "owner='\\'''"],
    ["owner=", 'owner="ana"', '\\"ana\\"'],
  ])("closes a quote that readline takes for closed: %s, then %s, is %s", (raw, wanted, reply) => {
    expect(bashReply(readWord(raw, "bash"), wanted, { ...bash, isEnd: true })).toBe(reply);
  });

  it("keeps blanks where each word is one of a query, but those that are one behind the other", () => {
    expect(quoted("a  b", "", { shell: "bash", keepsBlanks: true })).toBe("a\\ \\ b");
    expect(quoted("sort by mem", "", { shell: "bash", keepsBlanks: true })).toBe("sort by mem");
    expect(quoted("sort by mem", "", { shell: "bash", keepsBlanks: false })).toBe("sort\\ by\\ mem");
  });

  it("leaves zsh the quote that the word begins with, and closes one within it", () => {
    const zsh = { shell: "zsh", keepsBlanks: false, isEnd: true } as const;
    expect(zshMatch(readWord("'state=ru", "zsh"), "state=running", zsh)).toBe("state=running");
    expect(zshMatch(readWord("--filter='state=ru", "zsh"), "--filter=state=running", zsh)).toBe(
      "--filter='state=running'",
    );
    expect(zshMatch(readWord("state", "zsh"), "state in (", zsh)).toBe("state\\ in\\ \\(");
  });

  it("is read by bash as what was meant, whatever that is", async () => {
    const text = fc.array(fc.constantFrom(..."ab $`\"'\\!*?(){}[]<>|&;~#=:%é-".split("")), {
      minLength: 1,
      maxLength: 12,
    });
    const samples = fc.sample(text, { numRuns: 300, seed: 7 }).map((signs) => signs.join(""));
    const forms = (["", "'", '"'] as const).flatMap((open) =>
      samples.map((each) => ({
        each,
        typed: `x${open}${quoted(each, open, { shell: "bash", keepsBlanks: false })}${open}`,
      })),
    );
    const { stdout } = await run("bash", ["-c", `printf '%s\\n' ${forms.map(({ typed }) => typed).join(" ")}`]);
    expect(stdout.split("\n").slice(0, -1)).toEqual(forms.map(({ each }) => `x${each}`));
    for (const { each, typed } of forms) expect(readWord(typed, "bash").text).toBe(`x${each}`);
  });
});
