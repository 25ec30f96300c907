import { describe, expect, test } from "vitest";
import { hostSpecs, type KnownHost } from "../../../../../../hub/kinds/link/reconcile/end-specs.js";
import { noRoles, type Side } from "../../../../../../hub/kinds/link/reconcile/roles.js";
import { EndSpec } from "../../../../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkSpec } from "../../../../../../proto/gen/zor/v1/link.js";

const host: KnownHost = {
  ready: true,
  ends: new Map(),
  endsCurrent: true,
  cableAddresses: ["10.0.0.1:7444"],
  cableKeySha256: Buffer.alloc(32, 1),
  uid: "uid",
  underlayIps: [],
  nearIps: [],
  refused: [],
  allowsPlain: false,
  transports: [],
  vxlanMissing: "",
  via: "",
};

/** What the hosts of a link with this seed are told, by side, as it arrives at them. */
function seedsOf(seed: bigint, listener: Side): Readonly<Record<string, bigint>> {
  const impaired = { aToB: { lossRatio: 0.5 }, bToA: { lossRatio: 0.5 } };
  const link = {
    ...{
      name: "links/l1",
      uid: "u1",
      deleting: false,
      vxlanId: 0,
      roles: noRoles,
      pairing: undefined,
      gone: new Set([]),
    },
    ...{
      a: { host: "a", lan: "lan1" },
      b: { host: "b", lan: "lan1" },
      spec: LinkSpec.fromPartial({ ...impaired, seed }),
    },
  };
  const told = hostSpecs(link, { a: host, b: host }, listener, undefined);
  return Object.fromEntries(
    told.map(({ host: side, spec }) => [side, EndSpec.decode(EndSpec.encode(spec).finish()).seed]),
  );
}

describe("the seed of a link", () => {
  test.each([1n, 7n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 0x2545f4914f6cdd1dn])(
    "%d is another one for each direction, and none that lets an end pick",
    (seed) => {
      const { a, b } = seedsOf(seed, "a");
      expect(a).toBe(seed);
      expect([seed, 0n]).not.toContain(b);
    },
  );

  test("gives each direction the same run after run, whichever end listens", () => {
    expect(seedsOf(7n, "b")).toEqual(seedsOf(7n, "a"));
    expect(seedsOf(8n, "a")["b"]).not.toBe(seedsOf(7n, "a")["b"]);
  });

  test("0 has each end pick one", () => {
    expect(seedsOf(0n, "a")).toEqual({ a: 0n, b: 0n });
  });
});
