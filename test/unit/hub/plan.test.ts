import { describe, expect, test } from "vitest";
import {
  endKey,
  findObstacle,
  fingerprintOf,
  type HostInput,
  type LinkInput,
  type Pairing,
  type PlanInput,
  plan,
  type Step,
} from "../../../hub/reconcile/plan.js";
import { EndSpec, EndStatus } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkRole } from "../../../proto/gen/zor/v1/link.js";

const keys = { alpha: Buffer.alloc(32, 1), beta: Buffer.alloc(32, 2) };
const ticket = Buffer.alloc(32, 9);
const { LINK_ROLE_LISTENER, LINK_ROLE_DIALER } = LinkRole;

const host = (id: keyof typeof keys, changes: Partial<HostInput> = {}): HostInput => ({
  ready: true,
  ends: new Map(),
  endsCurrent: true,
  cableAddresses: [`10.0.0.${id === "alpha" ? 1 : 2}:7444`],
  cableKeySha256: keys[id],
  ...changes,
});
const link = (changes: Partial<LinkInput> = {}): LinkInput => ({
  name: "links/l1",
  uid: "u1",
  deleting: false,
  a: { host: "alpha", lan: "lan1" },
  b: { host: "beta", lan: "lan2" },
  transport: 0,
  encryption: 0,
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
  return { links, hosts, applied: new Map(), nowMs: 1000, ...changes };
};
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

  test("pins each end to the other's key and gives the dialer the listener's addresses", () => {
    const [listener] = plan(input([link({ pairing: pairing() })]));
    const [dialer] = plan(input([link({ pairing: pairing("alpha") })]));
    expect(listener).toMatchObject({ spec: { lan: "lan1", peerKeySha256: keys.beta, peerAddresses: [], ticket } });
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
    expect(plan({ links: [link()], hosts, applied: new Map(), nowMs: 1000 })).toEqual([]);
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
    expect(short(plan({ links: [deleting], hosts: new Map(), applied: new Map(), nowMs: 0 }))).toEqual(["forgetLink"]);
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

test("two hosts of which neither can be reached are an obstacle, unknown ones are not", () => {
  const none = { cableAddresses: [] };
  const hosts = (alpha: HostInput, beta: HostInput) =>
    new Map([
      ["alpha", alpha],
      ["beta", beta],
    ]);
  expect(findObstacle(link(), hosts(host("alpha", none), host("beta", none)))).toMatch(/underlay address/);
  expect(findObstacle(link(), hosts(host("alpha", none), host("beta")))).toBeUndefined();
  expect(
    findObstacle(link(), hosts(host("alpha", none), host("beta", { ...none, cableKeySha256: undefined }))),
  ).toBeUndefined();
});
