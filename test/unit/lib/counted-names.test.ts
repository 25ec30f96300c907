import { expect, test } from "vitest";
import { countedNames, nounOf } from "../../../lib/counted-names.js";

test.each([
  [["hosts/a/instances/vm1"], "1 instance"],
  [["hosts/a/instances/vm1", "hosts/b/instances/vm1"], "2 instances"],
  [["hosts/a@paris/lans/l", "hosts/a@rome/lans/l"], "2 lans"],
  [["hosts/a", "hosts/b"], "2 hosts"],
  [["links/x"], "1 link"],
  [["hosts/a", "links/x"], "2 resources"],
  [["what"], "1 resource"],
  [[], "0 resources"],
])("%j are told as %s", (names, text) => {
  expect(countedNames(names)).toBe(text);
});

test("some of them are counted as what all are", () => {
  expect(countedNames(["hosts/a/instances/1", "hosts/a/instances/2", "hosts/a/instances/3"], 1)).toBe("1 instance");
  expect(nounOf(["hosts/a/volumes/v"])).toEqual({ one: "volume", many: "volumes" });
});
