import { describe, expect, it } from "vitest";
import { codecOf } from "../../../lib/kinds/codecs.js";
import { encode, Kept } from "../../../lib/watch/kept.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";

const instance = (reason: string): Instance =>
  Instance.fromPartial({ name: "hosts/h/instances/vm1", labels: { a: "ä€😀" }, status: { reason, pid: 2n ** 40n } });
/** Sizes on both sides of where a buffer grows, or is not kept. */
const reasons = [0, 1, 100, 127, 128, 255, 300, 16_383, 16_384, 70_000, 5].map((length) => "x".repeat(length));

describe("what is kept of a resource", () => {
  it("are the bytes that its codec writes, however large the one before was", () => {
    for (const reason of reasons) {
      const value = instance(reason);
      const text = encode("instance", value);
      expect(Buffer.from(text, "latin1")).toEqual(Buffer.from(codecOf("instance").encode(value).finish()));
      expect(Kept.ofText("instance", value.name, text).value).toEqual(value);
    }
  });

  it("are the bytes of the resource alone after one that could not be written", () => {
    const bad = { ...instance("bad"), createTime: new Date(Number.NaN) };
    expect(() => encode("instance", bad)).toThrow();
    const good = instance("good");
    expect(Buffer.from(encode("instance", good), "latin1")).toEqual(Buffer.from(Instance.encode(good).finish()));
  });

  it("is the same whether it came as an object or as bytes", () => {
    const value = instance("x");
    const [asValue, asText] = [
      Kept.ofValue({ kind: "instance", value }),
      Kept.ofText("instance", value.name, encode("instance", value)),
    ];
    expect(asValue.text).toBe(asText.text);
    expect(asValue.bytes()).toEqual(asText.bytes());
    expect(asText.value).toEqual(asValue.value);
    expect([asText.name, asText.kind, asText.size]).toEqual([value.name, "instance", asText.bytes().length]);
  });
});
