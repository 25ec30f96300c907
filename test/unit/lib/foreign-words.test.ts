import { describe, expect, it } from "vitest";
import { messageOf, notFound } from "../../../lib/errors.js";

const typeError = (): unknown => {
  try {
    // A fault as programs have them.
    return (undefined as unknown as { readonly field: { readonly deep: string } }).field.deep;
  } catch (error) {
    return error;
  }
};

describe("words for what was thrown", () => {
  it.each<[string, unknown, string]>([
    ["an error", new Error("connect ECONNREFUSED 127.0.0.1:9"), "connect ECONNREFUSED 127.0.0.1:9"],
    ["an error of ours, also about a thing of that name", notFound("lans/undefined"), "lans/undefined does not exist"],
    ["nothing", undefined, "unknown cause"],
    ["null", null, "unknown cause"],
    ["an object", {}, "unknown cause"],
    ["an object with a message", { message: "full" }, "full"],
    ["a text", "full", "full"],
    ["an error without words", new Error(""), "unknown cause"],
    ["an error with a code only", Object.assign(new Error(""), { code: "EPIPE" }), "EPIPE"],
    ["an error that says undefined", new Error("undefined"), "unknown cause"],
    ["an error about an object", new Error("bad value [object Object]"), "unknown cause"],
    ["a fault in the program", typeError(), "a fault in the program (TypeError)"],
    [
      "several errors in one",
      new AggregateError([new Error("connect ECONNREFUSED ::1:1"), new Error("connect ECONNREFUSED 127.0.0.1:1")]),
      "connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1",
    ],
    ["a stack in a message", new Error("bad\n    at f (/srv/x.js:1:2)\n    at new X (node:net:3:4)"), "bad"],
  ])("%s", (_, error, words) => {
    expect(messageOf(error)).toBe(words);
  });
});
