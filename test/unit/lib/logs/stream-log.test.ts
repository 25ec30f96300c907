import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import type { LogPart, OpenLog } from "../../../../lib/logs/open-log.js";
import { nothingMore } from "../../../../lib/logs/open-log.js";
import { checkPosition, checkQuery, streamLog, wanted } from "../../../../lib/logs/stream-log.js";
import { LogQuery } from "../../../../proto/gen/zor/v1/log.js";

const part = (text: string, timeMs?: number): LogPart => ({ data: Buffer.from(text), timeMs });
const textOf = (parts: readonly LogPart[]) => parts.map(({ data }) => Buffer.from(data).toString()).join("");
const whole = { sinceMs: undefined, tailLines: undefined };
const { signal } = new AbortController();

describe("what is wanted of a log", () => {
  const past = [part("one\ntw", 1000), part("o\nthree\n", 2000), part("fo", 3000), part("ur", 3000)];

  it.each([
    [0, ""],
    [1, "four"],
    [2, "three\nfour"],
    [3, "two\nthree\nfour"],
    [4, "one\ntwo\nthree\nfour"],
    [100, "one\ntwo\nthree\nfour"],
  ])("is the last %i lines", (tailLines, text) => {
    expect(textOf(wanted(past, { ...whole, tailLines }))).toBe(text);
  });

  it("does not count the end of the last line as another", () => {
    expect(textOf(wanted([part("one\n"), part("two\n")], { ...whole, tailLines: 1 }))).toBe("two\n");
  });

  it("is what came since, and nothing that nobody knows the time of", () => {
    expect(textOf(wanted([part("?"), ...past], { ...whole, sinceMs: 2000 }))).toBe("o\nthree\nfour");
  });
});

describe("a stream of a log", () => {
  const end = (at: number) => ({ log: "1", at });
  const open = (extra: Partial<OpenLog> = {}): OpenLog & { closed: number } => {
    const log = { past: [], live: nothingMore, closed: 0, ...extra };
    const close = async (): Promise<void> => {
      log.closed += 1;
    };
    return Object.assign(log, { close });
  };

  it("cuts large parts, tells only the end of the whole as a place to go on from, and closes the log", async () => {
    const log = open({ past: [{ data: Buffer.alloc(150_000), timeMs: 5, end: end(150_000) }] });
    const pieces = await Array.fromAsync(streamLog(log, checkQuery(undefined), signal));
    expect(pieces.map(({ data, end: place }) => [data.length, place])).toEqual([
      [65_536, undefined],
      [65_536, undefined],
      [18_928, { log: "1", at: 150_000n }],
    ]);
    expect(pieces[0]?.time).toEqual(new Date(5));
    expect(log.closed).toBeGreaterThan(0);
  });

  it("gives all that came after a place that is known, and of one that is not says that something is missing", async () => {
    const query = checkQuery(LogQuery.fromPartial({ resume: { log: "1", at: 3n }, tailLines: 0, follow: true }));
    const known = await Array.fromAsync(streamLog(open({ past: [part("new")], resumed: true }), query, signal));
    expect(known.map(({ data, missing }) => [data.toString(), missing])).toEqual([["new", false]]);
    const unknown = await Array.fromAsync(streamLog(open(), query, signal));
    expect(unknown.map(({ data, missing }) => [data.length, missing])).toEqual([[0, true]]);
  });
});

it.each([
  [LogQuery.fromPartial({ tailLines: -1 }), "query.tail_lines"],
  [LogQuery.fromPartial({ tailLines: 100_001 }), "query.tail_lines"],
  [LogQuery.fromPartial({ since: new Date(Number.NaN) }), "query.since"],
  [LogQuery.fromPartial({ resume: { log: "../x", at: 0n } }), "query.resume.log"],
  [LogQuery.fromPartial({ resume: { log: "1", at: -1n } }), "query.resume.at"],
  [LogQuery.fromPartial({ resume: { log: "1", at: 2n ** 60n } }), "query.resume.at"],
])("refuses a query that is none, and names the field", (query, field) => {
  expect(() => checkQuery(query)).toThrow(
    expect.objectContaining({ code: status.INVALID_ARGUMENT, message: expect.stringContaining(field) }),
  );
});

it("takes no position for none", () => {
  expect(checkPosition("resume", undefined)).toBeUndefined();
});
