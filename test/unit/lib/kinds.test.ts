import { describe, expect, it } from "vitest";
import { accessOf } from "../../../lib/auth/policy.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { implementService } from "../../../lib/grpc/service.js";
import { allServices, codecOf, findService } from "../../../lib/kinds/codecs.js";
import {
  addKinds,
  allKinds,
  findKind,
  findKindByPlural,
  findRule,
  kindNamed,
  livesOnHosts,
  livesOnHub,
  ruledMethods,
} from "../../../lib/kinds/kinds.js";
import { findPackedKind, pack, typeUrlOf, unpack } from "../../../lib/kinds/resource.js";
import { parseName } from "../../../lib/names.js";

describe("the table of kinds", () => {
  it("knows a kind by its singular, its plural and its aliases", () => {
    expect(["instance", "instances", "in", "vm", "vms"].map((word) => findKind(word)?.singular)).toEqual(
      Array(5).fill("instance"),
    );
    expect(findKind("cord")).toBeUndefined();
    expect(() => kindNamed("cord")).toThrow('"cord" is not a kind');
  });

  it("says where resources of a kind live", () => {
    expect(
      allKinds()
        .filter(livesOnHosts)
        .map(({ singular }) => singular),
    ).toEqual([
      "a2b",
      "backup",
      "bridge",
      "image",
      "instance",
      "lan",
      "nat",
      "phy",
      "pool",
      "session",
      "snapshot",
      "tap",
      "volume",
      "vtep",
      "wire",
      "event",
      "operation",
    ]);
    expect(livesOnHub(kindNamed("link"))).toBe(true);
    expect(livesOnHub(kindNamed("lan"))).toBe(false);
  });

  it("has a codec for every kind, and takes every kind through the wire", () => {
    for (const { singular, type } of allKinds()) {
      const value = codecOf(singular).fromPartial({ name: `some/${singular}` });
      const packed = pack({ kind: singular, value });
      expect(packed.typeUrl).toBe(`type.googleapis.com/${type}`);
      expect(typeUrlOf(singular)).toBe(packed.typeUrl);
      expect(findPackedKind(packed)).toBe(singular);
      expect(unpack(packed)).toEqual({ kind: singular, value });
    }
  });

  it("tells nothing of a kind that it does not know", () => {
    expect(unpack({ typeUrl: "type.googleapis.com/zor.v9.Wire", value: Buffer.alloc(0) })).toBeUndefined();
  });

  it("takes more kinds in, and their names can then be parsed", async () => {
    expect(() => parseName("name", "hosts/h/gauges/g")).toThrow("is not a resource name");
    const files = descriptors().files.length;
    await import("../../extension/register.js");
    expect(parseName("name", "hosts/h/gauges/g")).toMatchObject({ kind: "onHost", collection: "gauges", id: "g" });
    expect(parseName("name", "memos/m")).toMatchObject({ kind: "hub", collection: "memos", id: "m" });
    expect(accessOf("/zor.test.v1.GaugeService/GetToZero")).toBe("admin");
    const gauge = {
      kind: "gauge",
      value: codecOf("gauge").fromPartial({ name: "hosts/h/gauges/g", spec: { limit: 7 } }),
    };
    expect(unpack(pack(gauge))).toEqual(gauge);
    expect(descriptors().files.length).toBeGreaterThan(files);
    expect(descriptors().registry.getMessage("zor.test.v1.Gauge")?.fields).toHaveLength(9);
    const taken = { singular: "other", plural: "gg", aliases: [], scope: "host", type: "zor.x.Other" } as const;
    expect(() => addKinds({ kinds: [taken], methods: {} })).toThrow('"gg" means');
  });
});

describe("the rules of methods", () => {
  it("exist for every method of every service", () => {
    const served = allServices().flatMap(([, definition]) => Object.values(definition).map(({ path }) => path));
    expect(served.length).toBeGreaterThan(40);
    for (const path of served) expect(findRule(path), path).toBeDefined();
    expect(served.filter((path) => !ruledMethods().includes(path))).toEqual([]);
    expect(findService("zor.v1.LanService")).toBeDefined();
  });

  it("name fields that the messages have", () => {
    for (const path of ruledMethods()) {
      const rule = findRule(path);
      if (rule === undefined || rule.verb === "custom") continue;
      expect(findKindByPlural(kindNamed(rule.kind).plural)?.singular).toBe(rule.kind);
    }
  });

  it("keep a program from serving a method of which nothing is said", () => {
    const serialize = (): Buffer => Buffer.alloc(0);
    const method = {
      path: "/zor.v1.LanService/GetAnything",
      requestStream: false,
      responseStream: false,
      requestSerialize: serialize,
      responseSerialize: serialize,
    } as const;
    expect(() =>
      implementService({ getAnything: method }, { getAnything: async () => undefined }, { authorize: () => undefined }),
    ).toThrow("/zor.v1.LanService/GetAnything has no least role");
  });
});
