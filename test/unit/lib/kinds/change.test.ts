import { describe, expect, test } from "vitest";
import { applyUpdate, changeableFields, checkEtag } from "../../../../lib/kinds/change.js";
import { codecOf } from "../../../../lib/kinds/codecs.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Link, LinkTransport } from "../../../../proto/gen/zor/v1/link.js";

const now = new Date("2026-03-04T05:06:07Z");
const before = Link.fromPartial({
  name: "links/l1",
  uid: "u1",
  etag: "e1",
  labels: { site: "paris", rack: "r1" },
  annotations: { "note.md": "old" },
  createTime: new Date("2026-01-01T00:00:00Z"),
  updateTime: new Date("2026-02-02T02:02:02Z"),
  spec: { a: "hosts/a/lans/x", b: "hosts/b/lans/y", transport: LinkTransport.LINK_TRANSPORT_TCP, seed: 7n },
});

function update(wanted: Parameters<typeof Link.fromPartial>[0], mask?: readonly string[]): Link {
  const request = { codec: codecOf("link"), before, changedBy: "zor://user/ana", mask, changeable: changeableFields };
  return applyUpdate({ ...request, wanted: Link.fromPartial({ name: "links/l1", ...wanted }) }, now);
}

describe("an update", () => {
  test("without a mask takes everything that can be changed, and nothing else", () => {
    const after = update({ uid: "other", labels: { a: "b" }, spec: { a: "hosts/c/lans/z" } });
    expect(after).toMatchObject({ uid: "u1", labels: { a: "b" }, annotations: {}, updateTime: now });
    expect(after.spec).toMatchObject({ a: "hosts/c/lans/z", b: "", seed: 0n });
  });

  test("with a mask takes what it names", () => {
    const after = update({ labels: { a: "b" }, spec: { aToB: { lossRatio: 0.5 }, seed: 9n } }, ["spec.a_to_b"]);
    expect(after.labels).toEqual(before.labels);
    expect(after.spec).toMatchObject({ a: "hosts/a/lans/x", seed: 7n, aToB: { lossRatio: 0.5 } });
  });

  test("sets and takes away single labels, and keys with dots", () => {
    expect(update({ labels: { site: "oslo", x: "y" } }, ["labels.site", "labels.rack"]).labels).toEqual({
      site: "oslo",
    });
    expect(update({ annotations: { "note.md": "new" } }, ["annotations.note.md"]).annotations).toEqual({
      "note.md": "new",
    });
    expect(update({}, ["annotations.note.md"]).annotations).toEqual({});
  });

  test("takes away the part of a spec that is not there any more", () => {
    expect(update({}, ["spec.seed"]).spec).toMatchObject({ a: "hosts/a/lans/x", seed: 0n });
  });

  test("reaches into the member of a choice that is set", () => {
    const instance = Instance.fromPartial({
      name: "hosts/a/instances/i",
      spec: { driver: { $case: "qemu", value: { machine: "q35", kernel: "k1" } } },
    });
    const wanted = Instance.fromPartial({
      spec: { driver: { $case: "qemu", value: { machine: "pc", kernel: "k2" } } },
    });
    const request = { codec: codecOf("instance"), before: instance, changedBy: "", changeable: changeableFields };
    const after = applyUpdate({ ...request, wanted, mask: ["spec.qemu.machine"] }, now);
    expect(after.spec?.driver).toMatchObject({ $case: "qemu", value: { machine: "pc", kernel: "k1" } });
  });

  test("that makes a difference gives another etag; one that makes none leaves everything as it was", () => {
    expect(update({ labels: { site: "oslo" } }, ["labels.site"]).etag).not.toBe("e1");
    expect(update({ labels: { site: "paris" } }, ["labels.site"])).toBe(before);
  });

  test.each([
    ["name", /"name" cannot be changed; what can be changed is "labels", "annotations" and "spec"/],
    ["status.state", /"status.state" cannot be changed/],
    ["spec.colour", /"spec.colour" is not a field/],
  ])("with %s in its mask is refused", (path, message) => {
    expect(() => update({ spec: {} }, [path])).toThrow(message);
  });

  test("with the etag that the resource has is made, with another one it is told who changed it, and when", () => {
    expect(update({ etag: "e1", labels: {} }).labels).toEqual({});
    const refused = expect.objectContaining({
      reason: "ETAG_MISMATCH",
      message: expect.stringMatching(/links\/l1 was changed by zor:\/\/user\/ana at 2026-02-02T02:02:02/),
      metadata: { changedBy: "zor://user/ana", changeTime: "2026-02-02T02:02:02.000Z", etag: "e1" },
    });
    expect(() => update({ etag: "e0" })).toThrow(refused);
    expect(() => checkEtag(before, "e0", "zor://user/ana")).toThrow(refused);
  });
});
