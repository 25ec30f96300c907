import { describe, expect, it } from "vitest";
import { judge } from "../../../../../agent/drivers/engine-api/archive-look.js";
import { overlap } from "../../../../../agent/drivers/engine-api/engine-console.js";
import { PullProgress } from "../../../../../agent/drivers/engine-api/pull-progress.js";
import { FrameDecoder } from "../../../../../agent/drivers/engine-api/stream-frames.js";

const frame = (type: number, text: string) => {
  const header = Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(text.length, 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

describe("the frames of a command without a terminal", () => {
  const whole = Buffer.concat([frame(1, "out"), frame(2, "err"), frame(1, ""), frame(1, "more")]);

  it.each([1, 2, 3, 7, 9, 1000])("come out the same in pieces of %i bytes", (size) => {
    const decoder = new FrameDecoder();
    const texts = { stdout: "", stderr: "" };
    for (let begin = 0; begin < whole.length; begin += size)
      for (const { type, data } of decoder.push(whole.subarray(begin, begin + size))) texts[type] += data.toString();
    expect(texts).toEqual({ stdout: "outmore", stderr: "err" });
  });
});

describe("a console's past and present", () => {
  it.each([
    ["a\nb\n", "b\nc", 2],
    ["a\nb\n", "c\n", 0],
    ["a\nb", "b", 0],
    ["", "a\n", 0],
    ["a\n", "a\na\n", 2],
  ])("%j and %j have their common lines once", (past, next, bytes) => {
    expect(overlap(Buffer.from(past), Buffer.from(next))).toBe(bytes);
  });
});

describe("the progress of an image that is fetched", () => {
  it("goes up to the end over all layers, and is never taken back", () => {
    const told: number[] = [];
    const progress = new PullProgress((_step, percent) => told.push(percent));
    const layer = (id: string, current: number, total: number) =>
      progress.push({ id, status: "Downloading", progressDetail: { current, total } });
    layer("a", 50, 100);
    layer("b", 0, 100);
    layer("a", 100, 100);
    progress.push({ id: "b", status: "Download complete", progressDetail: {} });
    expect(told).toEqual([49, 99]);
  });

  it("ends with what the engine says went wrong", () => {
    expect(() => new PullProgress(() => undefined).push({ error: "no basic auth" })).toThrow("no basic auth");
  });
});

describe("the listing of an archive", () => {
  const line = (name: string, size = 10) => `-rw-r--r-- 0/0 ${size} 2024-01-01 00:00 ${name}`;

  it.each([
    [["./bin/sh", "./etc/passwd"], "rootfs"],
    [["abc/layer.tar", "manifest.json", "repositories"], "image"],
    [["oci-layout", "index.json", "blobs/sha256/x"], "image"],
    [["manifest.json", "usr/bin/x"], "rootfs"],
  ])("%j is a %s", (names, kind) => {
    expect(judge(names.map((name) => line(name)).join("\n"), "image")).toEqual({ kind, bytes: 10 * names.length });
  });

  it("of nothing is refused", () => {
    expect(() => judge("", "image")).toThrow("empty archive");
  });
});
