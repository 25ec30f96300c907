import { describe, expect, test } from "vitest";
import { findObstacle } from "../../../../../../hub/kinds/link/reconcile/obstacle.js";
import type { HostInput, RelayInput } from "../../../../../../hub/kinds/link/reconcile/plan-input.js";
import { LinkCause, LinkEncryption, LinkSpec, LinkTransport } from "../../../../../../proto/gen/zor/v1/link.js";

const { LINK_TRANSPORT_TCP: tcp, LINK_TRANSPORT_VXLAN: vxlan } = LinkTransport;
const host = (changes: Partial<HostInput> = {}): HostInput => ({
  ready: true,
  ends: new Map(),
  endsCurrent: true,
  cableAddresses: ["10.0.0.1:7444"],
  cableKeySha256: Buffer.alloc(32),
  uid: "u",
  underlayIps: ["10.0.0.1"],
  nearIps: [],
  refused: [],
  allowsPlain: false,
  transports: [tcp],
  vxlanMissing: "",
  via: "",
  ...changes,
});
const hidden = host({ cableAddresses: [], underlayIps: [] });
const able = host({ transports: [tcp, vxlan] });
const plain = host({ allowsPlain: true });
const relay: RelayInput = { addresses: ["10.0.0.9:7445"], ticketOf: () => Buffer.alloc(32) };
const find = (spec: Partial<LinkSpec>, a: HostInput, b: HostInput, through?: RelayInput) =>
  findObstacle(
    { a: { host: "a", lan: "l" }, b: { host: "b", lan: "l" }, spec: LinkSpec.fromPartial(spec) },
    {
      hosts: new Map([
        ["a", a],
        ["b", b],
      ]),
      relay: through,
    },
  );
const inClear = { encryption: LinkEncryption.LINK_ENCRYPTION_NONE };

describe("what stands in the way of a link", () => {
  test.each<[string, Partial<LinkSpec>, HostInput, HostInput, RelayInput | undefined]>([
    ["one host can be dialled", {}, hidden, host(), undefined],
    ["neither can be dialled, but there is a relay", {}, hidden, hidden, relay],
    [
      "nothing is known of one host yet",
      {},
      hidden,
      host({ cableAddresses: [], cableKeySha256: undefined }),
      undefined,
    ],
    ["both offer vxlan", { transport: vxlan }, able, able, undefined],
    ["both allow links in clear", inClear, plain, plain, undefined],
  ])("is nothing when %s", (_what, spec, a, b, through) => {
    expect(find(spec, a, b, through)).toBeUndefined();
  });

  test.each<[string, Partial<LinkSpec>, HostInput, HostInput, RelayInput | undefined, LinkCause, RegExp]>([
    [
      "neither can be dialled",
      {},
      hidden,
      hidden,
      undefined,
      LinkCause.LINK_CAUSE_UNREACHABLE,
      /underlay address, or start the hub with --relay-listen/,
    ],
    [
      "the relay has no address",
      {},
      hidden,
      hidden,
      { ...relay, addresses: [] },
      LinkCause.LINK_CAUSE_UNREACHABLE,
      /--relay-listen/,
    ],
    [
      "a link in clear would be relayed",
      inClear,
      { ...plain, cableAddresses: [] },
      { ...plain, cableAddresses: [] },
      relay,
      LinkCause.LINK_CAUSE_UNREACHABLE,
      /only ciphertext is relayed/,
    ],
    [
      "one host does not allow links in clear",
      inClear,
      plain,
      host(),
      relay,
      LinkCause.LINK_CAUSE_POLICY,
      /policy on hosts\/b .*encryption/,
    ],
    [
      "the policy of one host does not allow vxlan",
      { transport: vxlan },
      host(),
      able,
      relay,
      LinkCause.LINK_CAUSE_POLICY,
      /^hosts\/a does not offer vxlan: its agent's policy does not allow links in clear \(start it with --allow-plain-links\); or use the tcp transport$/,
    ],
    [
      "the kernel of one host has no vxlan",
      { transport: vxlan },
      able,
      host({ allowsPlain: true, vxlanMissing: "its kernel has no vxlan (module vxlan)" }),
      relay,
      LinkCause.LINK_CAUSE_POLICY,
      /^hosts\/b does not offer vxlan: its kernel has no vxlan \(module vxlan\); or use the tcp transport$/,
    ],
    [
      "one host has the one and the other host both reasons against vxlan",
      { transport: vxlan },
      host(),
      host({ vxlanMissing: "its kernel has no vxlan (module vxlan)" }),
      relay,
      LinkCause.LINK_CAUSE_POLICY,
      /^hosts\/a does not offer vxlan: its agent's policy [^;]*; hosts\/b does not offer vxlan: its agent's policy .*, and its kernel has no vxlan/,
    ],
    [
      "an agent does not know vxlan",
      { transport: vxlan },
      plain,
      able,
      relay,
      LinkCause.LINK_CAUSE_POLICY,
      /^hosts\/a does not offer vxlan: its agent does not know how/,
    ],
    [
      "vxlan to a host that cannot be dialled",
      { transport: vxlan },
      able,
      { ...able, cableAddresses: [] },
      relay,
      LinkCause.LINK_CAUSE_UNREACHABLE,
      /hosts\/b has no address/,
    ],
  ])("is told when %s", (_what, spec, a, b, through, cause, reason) => {
    expect(find(spec, a, b, through)).toMatchObject({ cause, reason: expect.stringMatching(reason) });
  });

  test("names the addresses that a host announces and no link may use", () => {
    const bad = host({ cableAddresses: [], refused: ["127.0.0.1 is a loopback address"] });
    expect(find({}, bad, hidden)?.reason).toContain("(127.0.0.1 is a loopback address)");
  });

  test("is nothing between two lans of one host", () => {
    const link = { a: { host: "a", lan: "l" }, b: { host: "a", lan: "m" }, spec: LinkSpec.fromPartial({}) };
    expect(findObstacle(link, { hosts: new Map([["a", hidden]]), relay: undefined })).toBeUndefined();
  });
});
