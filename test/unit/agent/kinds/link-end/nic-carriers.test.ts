import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { EndView } from "../../../../../agent/engine/protocol/end-protocol.js";
import { NicCarriers } from "../../../../../agent/kinds/link-end/nic-carriers.js";
import { toDuration } from "../../../../../lib/duration.js";
import { DirectPath } from "../../../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkCause, LinkEnd, LinkState } from "../../../../../proto/gen/zor/v1/link.js";

const { LINK_STATE_ACTIVE: active, LINK_STATE_DOWN: down, LINK_STATE_DEGRADED: degraded } = LinkState;
const { LINK_CAUSE_LOST: lost, LINK_CAUSE_PEER: peer, LINK_CAUSE_LAN_GONE: gone } = LinkCause;

let shown: string[];
let carriers: NicCarriers;
beforeEach(() => {
  vi.useFakeTimers();
  shown = [];
  carriers = new NicCarriers((link, carrier) => shown.push(`${link} ${carrier}`));
});
afterEach(() => {
  carriers.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

interface Words {
  readonly state: LinkState;
  readonly cause?: LinkCause;
  readonly connects?: bigint;
  readonly lan?: string;
  readonly holdMs?: number;
  readonly keepCarrier?: boolean;
  readonly linkUid?: string;
}

function view(words: Words): EndView {
  const { state, cause = LinkCause.LINK_CAUSE_UNSPECIFIED, connects = 1n, holdMs, keepCarrier = false } = words;
  const { lan = "instances/r1/nics/eth1", linkUid = "u1" } = words;
  const end = LinkEnd.fromPartial({ lan, state, cause, connects, sinceTime: new Date() });
  return {
    status: {
      ...{ link: "links/w1", linkUid, paired: true, needsTicket: false, end, localPeer: undefined },
      ...{ direct: DirectPath.DIRECT_PATH_UNSPECIFIED, directReason: "" },
    },
    port: { name: "zc0", lan, ready: true, plugged: true, generation: "g1" },
    carrierHold: holdMs === undefined ? undefined : toDuration(holdMs),
    keepCarrier,
  };
}

test("a NIC has carrier from the first frames on, and loses it once the way has been down for a while", () => {
  carriers.follow([view({ state: down, cause: lost, connects: 0n })]);
  carriers.follow([view({ state: active })]);
  carriers.follow([view({ state: down, cause: lost })]);
  vi.advanceTimersByTime(2_900);
  expect(shown).toEqual(["links/w1 down", "links/w1 up"]);
  vi.advanceTimersByTime(200);
  expect(shown.at(-1)).toBe("links/w1 down");
  carriers.follow([view({ state: active })]);
  expect(shown.at(-1)).toBe("links/w1 up");
});

test("a way that comes back in time is not noticed, also when the engine was made anew meanwhile", () => {
  carriers.follow([view({ state: active })]);
  carriers.follow([view({ state: down, cause: lost, holdMs: 500 })]);
  vi.advanceTimersByTime(400);
  carriers.follow([view({ state: down, connects: 0n, holdMs: 500 })]);
  carriers.follow([view({ state: active })]);
  vi.advanceTimersByTime(10_000);
  expect(shown).toEqual(["links/w1 up"]);
});

test("nobody behind the other end takes carrier at once, though the cable works", () => {
  carriers.follow([view({ state: active })]);
  carriers.follow([view({ state: degraded, cause: peer })]);
  expect(shown.at(-1)).toBe("links/w1 down");
});

test("a NIC that is not there itself changes nothing", () => {
  carriers.follow([view({ state: active })]);
  carriers.follow([view({ state: degraded, cause: gone })]);
  vi.advanceTimersByTime(10_000);
  expect(shown).toEqual(["links/w1 up"]);
});

test("one that keeps carrier has it whatever happens, and lans have none to show", () => {
  carriers.follow([view({ state: down, cause: peer, connects: 0n, keepCarrier: true })]);
  carriers.follow([view({ state: down, cause: peer, lan: "lan1" })]);
  expect(shown).toEqual(["links/w1 kept"]);
});

test("another link of the same name begins anew, and one that is gone is forgotten with its timer", () => {
  carriers.follow([view({ state: active })]);
  carriers.follow([view({ state: down, connects: 0n, linkUid: "u2" })]);
  expect(shown).toEqual(["links/w1 up", "links/w1 down"]);
  carriers.follow([view({ state: active, linkUid: "u2" })]);
  carriers.follow([view({ state: down, cause: lost, linkUid: "u2" })]);
  carriers.forget(["links/w1"]);
  expect(carriers.links).toEqual([]);
});
