import { expect, test } from "vitest";
import { formatTarget, parseTarget } from "../../../../lib/ssh/target.js";

test.each([
  ["rack7", { host: "rack7" }],
  ["ops@rack7", { user: "ops", host: "rack7" }],
  ["ops@rack7:2222", { user: "ops", host: "rack7", port: 2222 }],
  ["ssh://ops@rack7:2222/", { user: "ops", host: "rack7", port: 2222 }],
  ["fd00::7", { host: "fd00::7" }],
  ["ops@[fd00::7]:2222", { user: "ops", host: "fd00::7", port: 2222 }],
  ["ops@corp@rack7", { user: "ops@corp", host: "rack7" }],
])("%s is read", (text, expected) => {
  expect(parseTarget("host", text)).toEqual(expected);
  expect(parseTarget("host", formatTarget(parseTarget("host", text)))).toEqual(expected);
});

test.each([
  "",
  "-oProxyCommand=x",
  "ops@-x",
  "-l@rack7",
  "rack7:0",
  "rack7:65536",
  "rack7:x",
  "a b",
  "ops@",
  "@rack7",
  "rack7;id",
  "$(id)",
  "a\nb",
  "[rack7",
])("%j is refused and named", (text) => {
  expect(() => parseTarget("host", text)).toThrow(/^host: /);
});

test("a password in a target is not taken", () => {
  expect(() => parseTarget("host", "ops:secret@rack7")).toThrow("a password in it would be seen by everybody");
});
