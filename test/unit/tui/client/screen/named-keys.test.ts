import { expect, it } from "vitest";
import { commonKeys, parseKeys } from "../../../../../tui/client/screen/named-keys.js";

it.each([
  ["ctrl-alt-delete", 0xffff, [0xffe3, 0xffe9]],
  ["Ctrl+Alt+F2", 0xffbf, [0xffe3, 0xffe9]],
  ["alt-sysrq-b", 0x62, [0xffe9, 0xff15]],
  ["ctrl-]", 0x5d, [0xffe3]],
  [" enter ", 0xff0d, []],
])("the keys %j", (text, key, held) => {
  expect(parseKeys(text)).toEqual({ key, held });
});

it("knows what it offers, and names what it does not know", () => {
  for (const keys of commonKeys) expect(parseKeys(keys).key).toBeGreaterThan(0);
  for (const wrong of ["", "ctrl-", "ctrl-fly", "f13"]) expect(() => parseKeys(wrong)).toThrow(/there is no key/);
});
