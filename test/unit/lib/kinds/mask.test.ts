import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyMask, changedPaths } from "../../../../lib/kinds/mask.js";
import { Impairment } from "../../../../proto/gen/zor/v1/impairment.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../../../proto/gen/zor/v1/lan.js";
import { Link } from "../../../../proto/gen/zor/v1/link.js";

const ofLink = ["labels", "annotations", "spec"];
const link = Link.fromPartial({
  name: "links/l1",
  uid: "u1",
  labels: { site: "paris", "example.com/rack": "7" },
  annotations: { note: "keep" },
  spec: {
    a: "hosts/h1/lans/a",
    b: "hosts/h2/lans/b",
    seed: 7n,
    aToB: { delay: { seconds: 0n, nanos: 5_000_000 }, lossRatio: 0.1 },
    schedule: [{ duration: { seconds: 1n, nanos: 0 }, impairment: { down: true } }],
  },
});

function masked(wanted: object, mask: readonly string[] | undefined, changeable: readonly string[] = ofLink): Link {
  return applyMask({ kind: "link", current: link, wanted: Link.fromPartial(wanted), mask, changeable });
}

describe("a mask", () => {
  const cases: { name: string; wanted: object; mask: string[]; expected: object }[] = [
    { name: "a map", wanted: { labels: { a: "1" } }, mask: ["labels"], expected: { ...link, labels: { a: "1" } } },
    {
      name: "one key of a map, with dots",
      wanted: { labels: { "example.com/rack": "8", site: "rome" } },
      mask: ["labels.example.com/rack"],
      expected: { ...link, labels: { site: "paris", "example.com/rack": "8" } },
    },
    {
      name: "a key in backquotes that is to go",
      wanted: {},
      mask: ["labels.`example.com/rack`"],
      expected: { ...link, labels: { site: "paris" } },
    },
    {
      name: "a field deep inside, in snake_case",
      wanted: { spec: { aToB: { lossRatio: 0.5, duplicateRatio: 1 } } },
      mask: ["spec.a_to_b.loss_ratio"],
      expected: { ...link, spec: { ...link.spec, aToB: { ...link.spec?.aToB, lossRatio: 0.5 } } },
    },
    {
      name: "a field deep inside, in camelCase",
      wanted: { spec: { bToA: { delay: { seconds: 1n, nanos: 0 } } } },
      mask: ["spec.bToA.delay"],
      expected: {
        ...link,
        spec: { ...link.spec, bToA: Impairment.fromPartial({ delay: { seconds: 1n, nanos: 0 } }) },
      },
    },
    {
      name: "a message that is cleared",
      wanted: { spec: { seed: 9n } },
      mask: ["spec.a_to_b"],
      expected: { ...link, spec: { ...link.spec, aToB: undefined } },
    },
    {
      name: "a field to clear of a message that is not there",
      wanted: {},
      mask: ["spec.b_to_a.delay"],
      expected: link,
    },
    {
      name: "a scalar that is cleared, and a list",
      wanted: {},
      mask: ["spec.seed", "spec.schedule"],
      expected: { ...link, spec: { ...link.spec, seed: 0n, schedule: [] } },
    },
  ];
  it.each(cases)("changes only what it names: $name", ({ wanted, mask, expected }) => {
    const before = structuredClone(link);
    expect(masked(wanted, mask)).toEqual(expected);
    expect(link).toEqual(before);
  });

  it.each([[undefined], [[]], [["*"]]])("of %j stands for all that can be changed", (mask) => {
    const wanted = { ...link, labels: {}, status: { reason: "made up" }, uid: "other", name: "links/other" };
    expect(masked(wanted, mask)).toEqual({ ...link, labels: {} });
  });

  it.each<[string, string[], RegExp]>([
    ["colour", ["colour"], /"colour" is not a field.*links have name, uid, labels/],
    ["spec.sed", ["spec.sed"], /did you mean "spec.seed"\?/],
    [
      "status",
      ["status.state"],
      /"status.state" cannot be changed; what can be changed is "labels", "annotations" and "spec"/,
    ],
    ["name", ["labels", "name"], /"name" cannot be changed/],
    ["a list", ["spec.schedule.start"], /"spec.schedule" is a list and is replaced as a whole/],
    ["a scalar", ["spec.seed.low"], /"spec.seed" has no fields/],
    ["a duration", ["spec.a_to_b.delay.nanos"], /"spec.a_to_b.delay" has no fields/],
    ["nothing", [""], /"" is not a field/],
    ["an empty segment", ["spec..seed"], /"spec..seed" is not a field/],
  ])("is refused by name: %s", (_, mask, message) => {
    expect(() => masked({}, mask)).toThrow(message);
    expect(() => masked({}, mask)).toThrow(expect.objectContaining({ reason: "INVALID_FIELD" }));
  });

  it("above what can be changed stands for that, and nothing else may be wanted otherwise", () => {
    const current = Lan.fromPartial({ name: "hosts/h/lans/l", spec: { mtu: 1500, rstp: false } });
    const update = (wanted: object, mask: string[]): Lan =>
      applyMask({
        ...{ kind: "lan", current, wanted: Lan.fromPartial(wanted), mask },
        changeable: ["labels", "annotations", "spec.rstp"],
      });
    expect(update({ spec: { mtu: 1500, rstp: true } }, ["spec"]).spec).toMatchObject({ mtu: 1500, rstp: true });
    expect(update({ spec: { rstp: true } }, []).spec).toMatchObject({ mtu: 1500, rstp: true });
    expect(() => update({ spec: { mtu: 9000, rstp: true } }, ["spec"])).toThrow('"spec.mtu" cannot be changed');
    expect(() => update({ spec: { mtu: 9000 } }, ["spec.mtu"])).toThrow('"spec.mtu" cannot be changed');
  });

  it("changes members of a oneof", () => {
    const current = Instance.fromPartial({
      spec: { driver: { $case: "qemu", value: { machine: "q35", kernel: "k" } } },
    });
    const update = (wanted: object, mask: string[]): unknown =>
      applyMask({ kind: "instance", current, wanted: Instance.fromPartial(wanted), mask, changeable: ["spec"] }).spec
        ?.driver;
    expect(update({ spec: { driver: { $case: "qemu", value: { machine: "pc" } } } }, ["spec.qemu.machine"])).toEqual({
      $case: "qemu",
      value: expect.objectContaining({ machine: "pc", kernel: "k" }),
    });
    expect(update({ spec: { driver: { $case: "crun", value: { rootfs: "r" } } } }, ["spec.crun"])).toEqual({
      $case: "crun",
      value: expect.objectContaining({ rootfs: "r" }),
    });
    expect(update({}, ["spec.qemu"])).toBeUndefined();
    expect(update({}, ["spec.crun"])).toEqual(current.spec?.driver);
  });
});

describe("the paths in which two resources differ", () => {
  it("are as deep as a mask can name them", () => {
    const after = masked(
      { labels: { site: "rome" }, spec: { bToA: { down: true }, aToB: { delay: undefined, lossRatio: 0.1 } } },
      ["labels", "spec.b_to_a", "spec.a_to_b"],
    );
    expect(changedPaths("link", link, after)).toEqual([
      "labels.site",
      "labels.example.com/rack",
      "spec.a_to_b.delay",
      "spec.b_to_a",
    ]);
    expect(changedPaths("link", link, link)).toEqual([]);
  });

  const impairments = fc.option(
    fc.record({
      lossRatio: fc.constantFrom(0, 0.5, 1),
      down: fc.boolean(),
      delay: fc.option(fc.record({ seconds: fc.bigInt(0n, 3n), nanos: fc.constant(0) }), { nil: undefined }),
    }),
    { nil: undefined },
  );
  const keys = fc.constantFrom("a", "b.c", "b", "example.com/x", "__proto__", "constructor");
  const links = fc
    .record({
      labels: fc.dictionary(keys, fc.constantFrom("", "1", "2")),
      annotations: fc.dictionary(keys, fc.constantFrom("x", "y")),
      spec: fc.option(
        fc.record({
          a: fc.constantFrom("", "hosts/h/lans/a"),
          seed: fc.bigInt(0n, 2n),
          aToB: impairments,
          bToA: impairments,
          schedule: fc.array(fc.record({ direction: fc.constantFrom(1, 2), impairment: impairments }), {
            maxLength: 2,
          }),
        }),
        { nil: undefined },
      ),
    })
    .map((partial) => Link.fromPartial({ name: "links/l", ...partial }));

  it("make the one into the other, and nothing else changes", () => {
    fc.assert(
      fc.property(links, links, (before, after) => {
        const paths = changedPaths("link", before, after);
        const mask = paths.length === 0 ? ["labels.none"] : paths;
        const update = { kind: "link", current: before, mask, changeable: ofLink };
        expect(applyMask({ ...update, wanted: after })).toEqual(after);
        // What it does not name is not read.
        const elsewhere = { ...after, name: "links/other", uid: "other" };
        expect(applyMask({ ...update, wanted: elsewhere })).toEqual(after);
      }),
    );
  });
});
