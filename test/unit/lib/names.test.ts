import { describe, expect, it } from "vitest";
import { findHostSegment, parseHostParent, parseId, parseName, quote } from "../../../lib/names.js";

const hostile = [
  "",
  "-foo",
  ".hidden",
  "a,b",
  "a=b",
  "a\nb",
  "a\0b",
  "a/b",
  "a b",
  "ä",
  "a".repeat(64),
  "$(id)",
  "..",
  "a;b",
];

describe("resource ids", () => {
  it.each(["a", "vm1", "A-b_c.d", "0", "x".repeat(63)])("accept %j", (id) => {
    expect(parseId("name", id)).toBe(id);
  });

  it.each(hostile)("refuse %j and name the field", (id) => {
    expect(() => parseId("instance_id", id)).toThrow(/^instance_id: .* is not a valid name/);
  });
});

describe("resource names", () => {
  it("parse into their parts", () => {
    expect(parseName("name", "hosts/h1")).toEqual({ kind: "host", host: "h1" });
    expect(parseName("name", "hosts/h1/lans/l")).toEqual({ kind: "onHost", host: "h1", collection: "lans", id: "l" });
    expect(parseName("name", "hosts/h/instances/i/nics/eth0")).toEqual({
      kind: "nic",
      host: "h",
      instance: "i",
      nic: "eth0",
    });
    expect(parseName("name", "links/l1")).toEqual({ kind: "hub", collection: "links", id: "l1" });
  });

  it.each(["", "hosts", "hosts/", "hosts/a/", "hosts/a/vms/b", "lans/a", "hosts/a/lans/b/c", "hosts/-x/lans/b"])(
    "refuse %j",
    (name) => {
      expect(() => parseName("name", name)).toThrow(/^name: /);
    },
  );

  it("route by their host, or to the hub", () => {
    expect(findHostSegment("name", "hosts/h1/instances/vm")).toBe("h1");
    expect(findHostSegment("name", "operations/x")).toBeUndefined();
  });

  it("take a wildcard only as a list's parent", () => {
    expect(parseHostParent("parent", "hosts/-")).toBe("-");
    expect(parseHostParent("parent", "", true)).toBe("-");
    expect(() => parseHostParent("parent", "")).toThrow(/^parent: /);
  });
});

describe("quoting", () => {
  it("escapes what could move a terminal's cursor or text direction, and cuts long values", () => {
    expect(quote("a\u001b[2Jb")).toBe('"a\\u001b[2Jb"');
    expect(quote("\u202eabc\u009b")).toBe('"\\u202eabc\\u009b"');
    expect(quote("x".repeat(500)).length).toBeLessThan(90);
  });
});
