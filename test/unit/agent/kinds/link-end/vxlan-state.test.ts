import { describe, expect, test } from "vitest";
import { toldAsMissing } from "../../../../../agent/network/vxlan-device.js";
import { ProbeExchange, probeAddresses } from "../../../../../agent/kinds/link-end/vxlan-probe.js";
import {
  initialVxlanState,
  nextVxlanState,
  type VxlanSeen,
  type VxlanState,
} from "../../../../../agent/kinds/link-end/vxlan-state.js";

type Look = Pick<VxlanSeen, "rxFrames"> & Partial<VxlanSeen>;

/** One look a second; `answered` unless told otherwise. */
function run(looks: readonly Look[]): VxlanState {
  return looks.reduce(
    (state, look, index) =>
      nextVxlanState(state, { fault: "", allowed: true, answered: true, ...look }, 1_000 * (index + 1)),
    initialVxlanState(0),
  );
}

const many = <T>(look: (index: number) => T): T[] => Array.from({ length: 12 }, (_, index) => look(index));
const silent = many(() => ({ rxFrames: 5, answered: false }));
/** Frames come, ours do not arrive. */
const oneWay = many((index) => ({ rxFrames: 6 + index, answered: false }));

test.each<[string, readonly Look[], VxlanState["phase"], string]>([
  ["nothing is known of a new end", [], "down", "its device is being made"],
  [
    "without a frame of the other end it is not active",
    [{ rxFrames: 0, answered: false }],
    "probing",
    "waiting for a frame",
  ],
  [
    "a frame alone does not make it active: ours may be lost",
    [
      { rxFrames: 0, answered: false },
      { rxFrames: 1, answered: false },
    ],
    "probing",
    "it does not get ours, or has not told yet",
  ],
  ["nor do many", oneWay, "probing", "it does not get ours, or has not told yet"],
  ["an answer makes it active", [{ rxFrames: 0, answered: false }, { rxFrames: 1 }], "active", ""],
  ["it stays so for a while", [{ rxFrames: 5 }, { rxFrames: 5, answered: false }], "active", ""],
  ["when nothing comes any more it is not", [{ rxFrames: 5 }, ...silent], "probing", "nothing came"],
  [
    "when frames come that answer none of ours it is not",
    [{ rxFrames: 5 }, ...oneWay],
    "probing",
    "it has answered none",
  ],
  ["it is active again with the next answer", [{ rxFrames: 5 }, ...oneWay, { rxFrames: 30 }], "active", ""],
  ["a device made anew counts from the beginning", [{ rxFrames: 9 }, { rxFrames: 1 }], "active", ""],
  ["a missing lan is told", [{ rxFrames: 1 }, { rxFrames: 1, fault: "lan lan1 does not exist" }], "down", "lan lan1"],
  [
    "and frames of before do not count when it is back",
    [
      { rxFrames: 5 },
      { rxFrames: 5, answered: false, fault: "lan lan1 does not exist" },
      { rxFrames: 5, answered: false },
    ],
    "probing",
    "waiting for a frame",
  ],
  [
    "nor do answers of before",
    [
      { rxFrames: 5 },
      { rxFrames: 5, answered: false, fault: "lan lan1 does not exist" },
      { rxFrames: 6, answered: false },
    ],
    "probing",
    "it does not get ours",
  ],
  ["policy comes first", [{ rxFrames: 5, fault: "x", allowed: false }], "down", "policy"],
])("%s", (_what, looks, phase, reason) => {
  const state = run(looks);
  expect(state.phase).toBe(phase);
  expect(state.reason).toContain(reason);
  expect(state.reason === "").toBe(phase === "active");
});

/** The listener's and the dialer's end of a link. */
const listener = (link = "link"): ProbeExchange => new ProbeExchange(probeAddresses(link, "listener"));
const dialer = (link = "link"): ProbeExchange => new ProbeExchange(probeAddresses(link, "dialer"));

describe("the exchange of probes", () => {
  test("sends frames that a switch learns an address from and forwards to nobody", () => {
    const probe = listener().next();
    expect(probe.subarray(0, 6)).toEqual(probe.subarray(6, 12));
    expect((probe[0] ?? 0) & 3).toBe(2);
    expect(probe.subarray(12, 14).toString("hex")).toBe("88b5");
    expect(probe).toHaveLength(60);
    expect(dialer().next().subarray(0, 6)).not.toEqual(probe.subarray(0, 6));
    expect(listener("other").next().subarray(0, 6)).not.toEqual(probe.subarray(0, 6));
  });

  test("is answered once frames have crossed both ways, and by each number once", () => {
    const [a, b] = [listener(), dialer()];
    const first = a.next();
    expect(b.take(first)).toBe(false);
    const answer = b.next();
    expect(a.take(answer)).toBe(true);
    expect(a.take(answer)).toBe(false);
    // Nothing of ours has arrived since.
    a.next();
    expect(a.take(b.next())).toBe(false);
    expect(b.take(a.next())).toBe(true);
    expect(a.take(b.next())).toBe(true);
  });

  test("is not answered when only the other end's frames arrive", () => {
    const [a, b] = [listener(), dialer()];
    a.next();
    for (let count = 0; count < 5; count += 1) expect(a.take(b.next())).toBe(false);
  });

  test("goes on with an other end that was started anew", () => {
    const [a, b] = [listener(), dialer()];
    b.take(a.next());
    a.take(b.next());
    b.take(a.next());
    a.take(b.next());
    const fresh = dialer();
    expect(a.take(fresh.next())).toBe(false);
    fresh.take(a.next());
    expect(a.take(fresh.next())).toBe(true);
  });

  test("is not disturbed by what a guest of the other lan sends, which no switch lets through to an address it comes from", () => {
    const [a, b] = [listener(), dialer()];
    b.take(a.next());
    const guests = listener().next();
    for (const from of ["ffffffffffff", "020000000009"]) {
      Buffer.from(from, "hex").copy(guests, 6);
      expect(b.take(guests)).toBe(false);
    }
    expect(a.take(b.next())).toBe(true);
  });

  test.each([
    ["its own frames", (own: ProbeExchange) => own.next()],
    ["short frames", (own: ProbeExchange) => own.next().subarray(0, 59)],
    ["an answer to the probes of another", () => future()],
    ["probes of another link", () => dialer("other").next()],
    [
      "other frames of the same ethertype",
      () => Buffer.concat([dialer().next().subarray(0, 14), Buffer.alloc(46, 0xff)]),
    ],
  ])("takes no notice of %s", (_what, make) => {
    const exchange = listener();
    expect(exchange.take(make(exchange))).toBe(false);
  });

  /** What a third end answers to a fourth: another session, and a high number. */
  function future(): Buffer {
    const [third, fourth] = [listener(), dialer()];
    for (let count = 0; count < 100; count += 1) third.take(fourth.next());
    return third.next();
  }
});

describe("why vxlan devices cannot be made", () => {
  test.each([
    ["ip failed with exit code 2: Error: Unknown device type.", "its kernel has no vxlan (module vxlan)"],
    [
      "ip failed with exit code 2: RTNETLINK answers: Operation not supported",
      "its kernel has no vxlan (module vxlan)",
    ],
    [
      "ip failed with exit code 2: RTNETLINK answers: Operation not permitted",
      "its agent may not make vxlan devices (capability CAP_NET_ADMIN)",
    ],
    ["ip is not installed", "its kernel refuses vxlan devices: ip is not installed"],
  ])("%s", (said, missing) => {
    expect(toldAsMissing(said)).toBe(missing);
  });
});
