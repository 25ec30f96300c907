import { describe, expect, test } from "vitest";
import { chooseVersion } from "../../../../tui/cli/install/rollback.js";

const [a, b, c] = ["0.1.0-aaaaaaaaaaaaaaaa", "0.1.0-bbbbbbbbbbbbbbbb", "0.2.0-bbbbcccccccccccc"];
const facts = { current: a, previous: b, versions: [a, b, c] };
const choose = (wanted?: string, more: Partial<typeof facts> = {}) =>
  chooseVersion({ ...facts, ...more }, wanted, "hosts/alpha");

describe("the version that a host goes back to", () => {
  test.each([
    ["is the one before", undefined, b],
    ["is named whole", c, c],
    ["is named by its beginning", "0.2", c],
    ["is named by its digest", "bbbbbbbbbbbbbbbb", b],
    ["may be the one that runs", a, a],
  ])("%s", (_, wanted, expected) => expect(choose(wanted)).toBe(expected));

  test.each([
    [
      "there is none beside",
      undefined,
      { previous: "", versions: [a] },
      /there was no version before; no other is kept/,
    ],
    ["there are others, but none before", undefined, { previous: "" }, /kept beside it: .*; choose one with --to/],
    ["the one before was removed", undefined, { versions: [a, c] }, /kept beside it: 0\.2\.0-bbbbcccccccccccc; choose/],
    ["the wanted one is not there", "0.3", {}, /version 0\.3 is not there; it runs 0\.1\.0-a+; kept beside it: /],
    ["several begin so", "0.1.0-", { versions: [a, b] }, /beginning of several on hosts\/alpha/],
    ["nothing is installed", undefined, { current: "" }, /not installed there/],
  ])("%s: that is said", (_, wanted, more, words) => expect(() => choose(wanted, more)).toThrow(words));
});
