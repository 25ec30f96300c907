import { describe, expect, test } from "vitest";
import { fingerprintOf } from "../../../../../../hub/kinds/link/reconcile/end-specs.js";
import { endKey, plan, type Step } from "../../../../../../hub/kinds/link/reconcile/plan.js";
import type {
  HostInput,
  LinkInput,
  Pairing,
  PlanInput,
  RelayInput,
} from "../../../../../../hub/kinds/link/reconcile/plan-input.js";
import { noRoles, type RoleMemory, swapRoles } from "../../../../../../hub/kinds/link/reconcile/roles.js";
import { DirectPath, EndSpec, EndStatus } from "../../../../../../proto/gen/zor/agent/v1/cable_service.js";
import { Direction } from "../../../../../../proto/gen/zor/v1/impairment.js";
import { LinkEncryption, LinkRole, LinkSpec, LinkTransport } from "../../../../../../proto/gen/zor/v1/link.js";

const keys = { alpha: Buffer.alloc(32, 1), beta: Buffer.alloc(32, 2) };
const ticket = Buffer.alloc(32, 9);
const { LINK_ROLE_LISTENER, LINK_ROLE_DIALER } = LinkRole;

const host = (id: keyof typeof keys, changes: Partial<HostInput> = {}): HostInput => ({
  ready: true,
  ends: new Map(),
  endsCurrent: true,
  cableAddresses: [`10.0.0.${id === "alpha" ? 1 : 2}:7444`],
  cableKeySha256: keys[id],
  uid: `uid-${id}`,
  underlayIps: [`10.0.0.${id === "alpha" ? 1 : 2}`],
  nearIps: [`10.0.0.${id === "alpha" ? 1 : 2}`],
  refused: [],
  allowsPlain: false,
  transports: [LinkTransport.LINK_TRANSPORT_TCP],
  vxlanMissing: "",
  via: "",
  ...changes,
});
const link = (changes: Partial<LinkInput> = {}): LinkInput => ({
  name: "links/l1",
  uid: "u1",
  deleting: false,
  a: { host: "alpha", lan: "lan1" },
  b: { host: "beta", lan: "lan2" },
  spec: LinkSpec.fromPartial({ a: "hosts/alpha/lans/lan1", b: "hosts/beta/lans/lan2" }),
  vxlanId: 0,
  roles: noRoles,
  pairing: undefined,
  gone: new Set(),
  ...changes,
});
const end = (role: LinkRole, changes: Partial<EndStatus> = {}): ReadonlyMap<string, EndStatus> =>
  new Map([
    ["links/l1", EndStatus.fromPartial({ link: "links/l1", linkUid: "u1", end: { role }, paired: true, ...changes })],
  ]);
const pairing = (...given: string[]): Pairing => ({ ticket, expiresMs: 2000, retryMs: 1500, given: new Set(given) });
const input = (
  links: LinkInput[],
  alpha: HostInput | undefined = host("alpha"),
  beta: HostInput | undefined = host("beta"),
  changes: Partial<PlanInput> = {},
): PlanInput => {
  const hosts = new Map<string, HostInput>();
  if (alpha !== undefined) hosts.set("alpha", alpha);
  if (beta !== undefined) hosts.set("beta", beta);
  return { links, hosts, applied: new Map(), relay: undefined, nowMs: 1000, ...changes };
};
const relay: RelayInput = {
  addresses: ["192.0.2.1:7445", "10.0.0.9:7445"],
  ticketOf: ({ linkUid, role, host: id, hostUid }) => Buffer.from(`${linkUid} ${role} ${id} ${hostUid}`),
};
const specsOf = (steps: readonly Step[]): EndSpec[] =>
  steps.flatMap((step) => (step.type === "ensureEnd" ? [step.spec] : []));
const short = (steps: readonly Step[]): string[] =>
  steps.map((step) => {
    if (step.type !== "ensureEnd") return `${step.type} ${step.host}`.trim();
    const role = step.spec.role === LINK_ROLE_LISTENER ? "listener" : "dialer";
    return `ensureEnd ${step.host} ${role}${step.spec.ticket.length > 0 ? " with ticket" : ""}`;
  });

const paired = {
  alpha: host("alpha", { ends: end(LINK_ROLE_LISTENER) }),
  beta: host("beta", { ends: end(LINK_ROLE_DIALER) }),
};
const down = { ready: false, endsCurrent: false };

describe("the plan of a new link", () => {
  test.each<[string, LinkInput, string[]]>([
    ["begins with a ticket", link(), ["newTicket"]],
    ["gives it to the listener first", link({ pairing: pairing() }), ["ensureEnd alpha listener with ticket"]],
    ["then to the dialer", link({ pairing: pairing("alpha") }), ["ensureEnd beta dialer with ticket"]],
    ["then waits for the ends", link({ pairing: pairing("alpha", "beta") }), []],
  ])("%s", (_what, desired, steps) => {
    expect(short(plan(input([desired])))).toEqual(steps);
  });

  test("makes another ticket when the ends have not connected by the time to try again, or when it expired", () => {
    const desired = link({ pairing: pairing("alpha", "beta") });
    expect(short(plan(input([desired], undefined, undefined, { nowMs: 1600, hosts: input([]).hosts })))).toEqual([
      "newTicket",
    ]);
    const expired = link({ pairing: { ...pairing("alpha"), expiresMs: 900 } });
    expect(short(plan(input([expired])))).toEqual(["newTicket"]);
  });

  test("pins each end to the other's key and gives it the other's addresses", () => {
    const [listener] = plan(input([link({ pairing: pairing() })]));
    const [dialer] = plan(input([link({ pairing: pairing("alpha") })]));
    expect(listener).toMatchObject({
      spec: { lan: "lan1", peerKeySha256: keys.beta, peerAddresses: ["10.0.0.2:7444"], ticket },
    });
    expect(dialer).toMatchObject({
      spec: { lan: "lan2", peerKeySha256: keys.alpha, peerAddresses: ["10.0.0.1:7444"], ticket },
    });
  });

  test.each<[string, HostInput | undefined, HostInput | undefined]>([
    ["is down", host("alpha"), host("beta", down)],
    ["does not tell of its ends", host("alpha"), host("beta", { endsCurrent: false })],
    ["has not said hello yet", host("alpha"), host("beta", { cableKeySha256: undefined })],
    ["is not registered", host("alpha"), undefined],
  ])("does nothing while one host %s", (_what, alpha, beta) => {
    const hosts = new Map(
      Object.entries({ alpha, beta }).filter((entry): entry is [string, HostInput] => entry[1] !== undefined),
    );
    expect(plan({ links: [link()], hosts, applied: new Map(), relay: undefined, nowMs: 1000 })).toEqual([]);
  });

  test.each<[string, string[], string[], string[]]>([
    ["the first host listens when both can", ["10.0.0.1:1"], ["10.0.0.2:1"], ["ensureEnd alpha listener with ticket"]],
    ["the host that can be reached listens", [], ["10.0.0.2:1"], ["ensureEnd beta listener with ticket"]],
    ["nothing is tried when neither can be reached", [], [], []],
  ])("%s", (_what, alphaAddresses, betaAddresses, steps) => {
    const alpha = host("alpha", { cableAddresses: alphaAddresses });
    const beta = host("beta", { cableAddresses: betaAddresses });
    expect(short(plan(input([link({ pairing: pairing() })], alpha, beta)))).toEqual(steps);
  });
});

describe("the plan of a link that is up", () => {
  test("asks each end once after the hub began, then leaves it alone", () => {
    const first = plan(input([link()], paired.alpha, paired.beta));
    expect(short(first)).toEqual(["ensureEnd alpha listener", "ensureEnd beta dialer"]);
    const applied = new Map(
      first.flatMap((step) =>
        step.type === "ensureEnd" ? [[endKey(step.host, step.link), fingerprintOf(step.spec)]] : [],
      ),
    );
    expect(plan(input([link()], paired.alpha, paired.beta, { applied }))).toEqual([]);
  });

  test("keeps its roles even if the other host could listen too", () => {
    const alpha = host("alpha", { ends: end(LINK_ROLE_DIALER) });
    const beta = host("beta", { ends: end(LINK_ROLE_LISTENER) });
    expect(short(plan(input([link()], alpha, beta)))).toEqual(["ensureEnd beta listener", "ensureEnd alpha dialer"]);
  });

  test("changes nothing on a host that is down", () => {
    const beta = host("beta", { ends: end(LINK_ROLE_DIALER), ...down });
    expect(short(plan(input([link()], paired.alpha, beta)))).toEqual(["ensureEnd alpha listener"]);
  });

  test("pairs the ends anew when one has lost its end or asks for a ticket", () => {
    expect(short(plan(input([link()], paired.alpha, host("beta"))))).toEqual(["newTicket"]);
    const asking = host("beta", { ends: end(LINK_ROLE_DIALER, { needsTicket: true }) });
    expect(short(plan(input([link()], paired.alpha, asking)))).toEqual(["newTicket"]);
  });

  test("first removes an end of an older link of the same name", () => {
    const beta = host("beta", { ends: end(LINK_ROLE_DIALER, { linkUid: "old" }) });
    expect(plan(input([link()], paired.alpha, beta))).toEqual([
      { type: "deleteEnd", host: "beta", link: "links/l1", uid: "old" },
    ]);
  });
});

describe("the plan of a link that is being deleted", () => {
  const deleting = link({ deleting: true });
  test.each<[string, LinkInput, HostInput | undefined, HostInput | undefined, string[]]>([
    ["removes both ends", deleting, paired.alpha, paired.beta, ["deleteEnd alpha", "deleteEnd beta"]],
    [
      "waits for a host that is down",
      deleting,
      host("alpha"),
      host("beta", { ends: end(LINK_ROLE_DIALER), ...down }),
      [],
    ],
    ["waits for a host of which nothing is known", deleting, host("alpha"), host("beta", down), []],
    ["forgets it when no host has an end", deleting, host("alpha"), host("beta"), ["forgetLink"]],
    [
      "takes a host's word though its stream does not work",
      { ...deleting, gone: new Set(["beta"]) },
      host("alpha"),
      host("beta", { endsCurrent: false }),
      ["forgetLink"],
    ],
  ])("%s", (_what, desired, alpha, beta, steps) => {
    expect(short(plan(input([desired], alpha, beta)))).toEqual(steps);
  });

  test("forgets it at once when its hosts are not registered any more", () => {
    expect(
      short(plan({ links: [deleting], hosts: new Map(), applied: new Map(), relay: undefined, nowMs: 0 })),
    ).toEqual(["forgetLink"]);
  });
});

describe("what makes two asks of an end the same", () => {
  const spec = EndSpec.fromPartial({
    link: "links/l1",
    linkUid: "u1",
    lan: "lan1",
    peerAddresses: ["10.0.0.1:1"],
    peerKeySha256: keys.alpha,
  });
  test("the ticket does not count", () => {
    expect(fingerprintOf({ ...spec, ticket })).toBe(fingerprintOf(spec));
  });
  test.each<[string, Partial<EndSpec>]>([
    ["lan", { lan: "lan2" }],
    ["role", { role: LINK_ROLE_DIALER }],
    ["peer address", { peerAddresses: ["10.0.0.2:1"] }],
    ["peer key", { peerKeySha256: keys.beta }],
    ["link uid", { linkUid: "u2" }],
  ])("another %s does", (_what, change) => {
    expect(fingerprintOf({ ...spec, ...change })).not.toBe(fingerprintOf(spec));
  });
});

describe("the plan of a link through the relay", () => {
  const hidden = { cableAddresses: [], underlayIps: [] };
  const both = [
    host("alpha", { ...hidden, ends: end(LINK_ROLE_LISTENER) }),
    host("beta", { ...hidden, ends: end(LINK_ROLE_DIALER) }),
  ] as const;

  test("is made when neither host can be dialled: the first listens", () => {
    const steps = plan(input([link({ pairing: pairing() })], host("alpha", hidden), host("beta", hidden), { relay }));
    expect(short(steps)).toEqual(["ensureEnd alpha listener with ticket"]);
    expect(specsOf(steps)).toMatchObject([{ peerAddresses: [], relayAddresses: ["10.0.0.9:7445", "192.0.2.1:7445"] }]);
  });

  test("gives each end a ticket of its own, and the relay's address that is nearest to it first", () => {
    const [alpha, beta] = both;
    const steps = plan(input([link()], alpha, { ...beta, nearIps: ["192.0.2.77"] }, { relay }));
    expect(specsOf(steps).map((spec) => [String(spec.relayTicket), spec.relayAddresses[0]])).toEqual([
      ["u1 listener alpha uid-alpha", "10.0.0.9:7445"],
      ["u1 dialer beta uid-beta", "192.0.2.1:7445"],
    ]);
  });

  test("gives it to hosts that can be dialled too, for when they cannot", () => {
    const steps = plan(input([link()], paired.alpha, paired.beta, { relay }));
    expect(specsOf(steps).map((spec) => [spec.peerAddresses.length, spec.relayAddresses.length])).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  test("never carries a link in clear", () => {
    const spec = LinkSpec.fromPartial({ encryption: LinkEncryption.LINK_ENCRYPTION_NONE });
    const open = { allowsPlain: true };
    const steps = plan(input([link({ spec })], { ...paired.alpha, ...open }, { ...paired.beta, ...open }, { relay }));
    expect(specsOf(steps).map(({ relayAddresses, relayTicket }) => [relayAddresses, relayTicket.length])).toEqual([
      [[], 0],
      [[], 0],
    ]);
  });
});

describe("the plan of a link between two lans of one host", () => {
  const local = link({
    b: { host: "alpha", lan: "lan2" },
    spec: LinkSpec.fromPartial({ aToB: { lossRatio: 0.1 }, bToA: { lossRatio: 0.2 }, seed: 7n }),
  });

  test("is one end that joins both, without peer and ticket", () => {
    const steps = plan(input([local], host("alpha"), undefined, { relay }));
    expect(short(steps)).toEqual(["ensureEnd alpha listener"]);
    expect(specsOf(steps)).toMatchObject([
      {
        ...{ lan: "lan1", localPeerLan: "lan2", seed: 7n, peerAddresses: [], relayAddresses: [] },
        ...{ impairment: { lossRatio: 0.1 }, localPeerImpairment: { lossRatio: 0.2 } },
      },
    ]);
  });

  test("is made again when the host has lost it, and else left alone", () => {
    const [spec] = specsOf(plan(input([local])));
    const applied = new Map([[endKey("alpha", "links/l1"), spec === undefined ? "" : fingerprintOf(spec)]]);
    expect(short(plan(input([local], host("alpha"), undefined, { applied })))).toEqual(["ensureEnd alpha listener"]);
    expect(plan(input([local], paired.alpha, undefined, { applied }))).toEqual([]);
  });

  test("is removed from its one host", () => {
    expect(short(plan(input([{ ...local, deleting: true }], paired.alpha)))).toEqual(["deleteEnd alpha"]);
  });
});

describe("the plan of a vxlan link", () => {
  const vxlan = link({ vxlanId: 77, spec: LinkSpec.fromPartial({ transport: LinkTransport.LINK_TRANSPORT_VXLAN }) });
  const able = { transports: [LinkTransport.LINK_TRANSPORT_TCP, LinkTransport.LINK_TRANSPORT_VXLAN] };

  test("gives each end the other's IPs and the same identifier, in clear, without tickets", () => {
    const steps = plan(input([vxlan], host("alpha", able), host("beta", able), { relay }));
    expect(short(steps)).toEqual(["ensureEnd alpha listener", "ensureEnd beta dialer"]);
    const clear = { encryption: LinkEncryption.LINK_ENCRYPTION_NONE, vxlanId: 77, relayAddresses: [] };
    expect(specsOf(steps)).toMatchObject([
      { ...clear, peerIps: ["10.0.0.2"] },
      { ...clear, peerIps: ["10.0.0.1"] },
    ]);
  });

  test("is not made where one host does not offer it", () => {
    expect(plan(input([vxlan], host("alpha", able), host("beta")))).toEqual([]);
  });
});

test("each end is told what happens to the frames it sends, and when", () => {
  const impaired = LinkSpec.fromPartial({
    ...{ aToB: { lossRatio: 0.1 }, bToA: { lossRatio: 0.2 }, seed: 7n },
    schedule: [
      { direction: Direction.DIRECTION_A_TO_B, impairment: { down: true } },
      { direction: Direction.DIRECTION_B_TO_A, impairment: { lossRatio: 0.9 } },
      { direction: Direction.DIRECTION_UNSPECIFIED, impairment: { lossRatio: 0.5 } },
    ],
  });
  const told = specsOf(plan(input([link({ spec: impaired })], paired.alpha, paired.beta)));
  const facts = told.map(({ impairment, schedule }) => [
    impairment?.lossRatio,
    schedule.map((step) => step.impairment?.down === true || step.impairment?.lossRatio),
  ]);
  expect(facts).toEqual([
    [0.1, [true, 0.5]],
    [0.2, [0.9, 0.5]],
  ]);
});

describe("the plan of a link whose listener cannot be reached", () => {
  const closed = { direct: DirectPath.DIRECT_PATH_CLOSED };
  const hint = (sinceMs: number, changes: Partial<RoleMemory> = {}): RoleMemory => ({
    ...noRoles,
    hint: { kind: "sure", sinceMs },
    ...changes,
  });
  const alpha = host("alpha", { ends: end(LINK_ROLE_LISTENER, { direct: DirectPath.DIRECT_PATH_OPEN }) });
  const beta = host("beta", { ends: end(LINK_ROLE_DIALER, closed) });
  const planned = (roles: RoleMemory, nowMs: number): Step[] => plan(input([link({ roles })], alpha, beta, { nowMs }));

  test("changes the roles when it is sure and has been for a while", () => {
    expect(short(planned(hint(1000), 10_999))).toEqual(["ensureEnd alpha listener", "ensureEnd beta dialer"]);
    expect(planned(hint(1000), 11_000)).toEqual([{ type: "swapRoles", host: "", link: "links/l1", listener: "b" }]);
  });

  test("asks both ends for their new roles, without a new ticket, and does not turn back half way", () => {
    const swapped = link({ roles: swapRoles("b", noRoles, 1000) });
    expect(short(plan(input([swapped], alpha, beta)))).toEqual(["ensureEnd beta listener", "ensureEnd alpha dialer"]);
    const half = host("beta", { ends: end(LINK_ROLE_LISTENER) });
    expect(short(plan(input([swapped], alpha, half)))).toEqual(["ensureEnd beta listener", "ensureEnd alpha dialer"]);
  });

  test("waits longer with every change that did not help, and at most a quarter of an hour", () => {
    const memoryAfter = (swaps: number): RoleMemory => hint(0, { decidedMs: 100_000, swaps });
    expect(short(planned(memoryAfter(1), 159_999))).not.toContain("swapRoles");
    expect(short(planned(memoryAfter(1), 160_000))).toEqual(["swapRoles"]);
    expect(short(planned(memoryAfter(2), 160_000))).not.toContain("swapRoles");
    expect(short(planned(memoryAfter(2), 220_000))).toEqual(["swapRoles"]);
    expect(short(planned(memoryAfter(30), 100_000 + 15 * 60_000))).toEqual(["swapRoles"]);
  });

  test("changes nothing while one host is down", () => {
    const desired = link({ roles: hint(0) });
    expect(short(plan(input([desired], alpha, { ...beta, ...down }, { nowMs: 60_000 })))).toEqual([
      "ensureEnd alpha listener",
    ]);
  });
});
