import { describe, expect, test } from "vitest";
import {
  differingLines,
  editSettings,
  parseKey,
  parseSetting,
  type SettingsEdit,
} from "../../../../tui/cli/install/settings-text.js";

const before = `# What this host is.
listen: ["10.0.0.11:7443"] # towards the hub
underlay: ["10.0.0.11"]
disk:
  reserveMib: 2048
`;
const edited = (edit: Partial<SettingsEdit>, text = before) =>
  editSettings(text, { text: undefined, set: [], unset: [], ...edit });

describe("settings that are changed", () => {
  test("keep what is not changed, with its comments", () => {
    const set = ["figuresMib=128", 'listen=["10.0.0.12:7443"]', "dialOut=true", "ssh.via=[]"].map(parseSetting);
    expect(edited({ set, unset: [parseKey("--unset", "disk.reserveMib")] })).toBe(`# What this host is.
listen: [10.0.0.12:7443] # towards the hub
underlay: ["10.0.0.11"]
disk: {}
figuresMib: 128
dialOut: true
ssh:
  via: []
`);
  });

  test("are the whole file where one is given, and changes are made to that", () => {
    expect(edited({ text: "listen: [a]\n" })).toBe("listen: [a]\n");
    expect(edited({ text: "", set: [parseSetting("dialOut=false")] })).toBe("dialOut: false\n");
  });

  test("leave others to the byte, however they are written", () => {
    const odd = `# Ours.
listen:   ["10.0.0.11:7443",  "127.0.0.1:7443"]  # towards the hub
labels: {row: 2,site: 'paris'}

# How much is kept.
disk:
    reserveMib: 2048   # of images
    # and more
figuresMib:  64

taps: [a,b]`;
    const set = ["figuresMib=128", "disk.totalMib=9", "dialOut=true"].map(parseSetting);
    expect(edited({ set, unset: [parseKey("--unset", "taps")] }, odd)).toBe(`# Ours.
listen:   ["10.0.0.11:7443",  "127.0.0.1:7443"]  # towards the hub
labels: {row: 2,site: 'paris'}

# How much is kept.
disk:
  reserveMib: 2048 # of images
  totalMib: 9
  # and more
figuresMib: 128

dialOut: true
`);
    expect(edited({ set: [parseSetting("labels.row=3")] }, odd)).toBe(
      odd.replace("{row: 2,site: 'paris'}", "{row: 3, site: 'paris'}"),
    );
    expect(edited({ set: [parseSetting("listen=[]")] }, odd)).toContain(
      "\nlisten: []  # towards the hub\nlabels: {row: 2,",
    );
  });

  test("are as they were when nothing is changed, to the byte", () => {
    const odd = "a:   [ 1,2 ]   # so\n\n\n";
    expect(edited({}, odd)).toBe(odd);
  });

  test.each([
    ["=1", /KEY=VALUE/],
    ["listen", /KEY=VALUE/],
    ["listen=", /--unset/],
    ["a b=1", /not the name of a setting/],
    ["__proto__=1", /not the name of a setting/],
    ["listen=[1", /no YAML/],
    ["listen=*a", /no YAML/],
  ])("%s is refused", (text, words) => expect(() => parseSetting(text)).toThrow(words));

  test("are refused where they cannot be", () => {
    const set = [parseSetting("listen.more=1")];
    expect(() => edited({ set })).toThrow(/listen/);
    expect(() => edited({ set }, "a: [")).toThrow(/cannot be read.*--edit/);
    expect(() => edited({ set }, "- a\n")).toThrow(/not "key: value" lines/);
  });
});

test.each([
  ["a\nb\nc\nd\n", "a\nb\nC\nd\n", ["  b", "- c", "+ C", "  d"]],
  ["", "a\n", ["+ a"]],
  ["a\n", "", ["- a"]],
  ["a\nb\n", "a\nb\n", []],
  ["a\nb\nc\n", "c\n", ["- a", "- b", "  c"]],
])("what differs is told by line: %j and %j", (one, other, lines) => {
  expect(differingLines(one, other)).toEqual(lines);
});
