import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  listenerOf,
  noRoles,
  observeRoles,
  type RoleInput,
  type RoleMemory,
  type Side,
  shouldSwap,
  swapRoles,
} from "../../../../../../hub/kinds/link/reconcile/roles.js";
import { DirectPath, EndStatus } from "../../../../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkCause, LinkPath, LinkRole, LinkState } from "../../../../../../proto/gen/zor/v1/link.js";

const { DIRECT_PATH_OPEN: open, DIRECT_PATH_CLOSED: closed, DIRECT_PATH_UNSPECIFIED: untested } = DirectPath;
const { LINK_STATE_DOWN: down, LINK_STATE_ACTIVE: active } = LinkState;
const { LINK_PATH_RELAYED: relayed, LINK_PATH_DIRECT: directly } = LinkPath;
const refused = LinkCause.LINK_CAUSE_REFUSED;

interface End {
  readonly state?: LinkState;
  readonly path?: LinkPath;
  readonly cause?: LinkCause;
  readonly direct?: DirectPath;
}

const status = (role: LinkRole, { direct = untested, ...end }: End): EndStatus =>
  EndStatus.fromPartial({ direct, end: { role, ...end } });

/** a listens, b dials. */
const input = (listener: End, dialer: End, changes: Partial<RoleInput> = {}): RoleInput => ({
  dialable: { a: true, b: true },
  ends: { a: status(LinkRole.LINK_ROLE_LISTENER, listener), b: status(LinkRole.LINK_ROLE_DIALER, dialer) },
  memory: noRoles,
  ...changes,
});

describe("who listens", () => {
  const none = { a: undefined, b: undefined };
  test.each<[string, Partial<RoleInput>, Side]>([
    ["a, when nothing is known", { ends: none }, "a"],
    ["who can be dialled", { ends: none, dialable: { a: false, b: true } }, "b"],
    ["a, when neither can", { ends: none, dialable: { a: false, b: false } }, "a"],
    ["who listens already", { ends: { ...none, a: status(LinkRole.LINK_ROLE_DIALER, {}) } }, "b"],
    ["who was decided on", { memory: { ...noRoles, listener: "b" } }, "b"],
    [
      "who can be dialled, whatever was decided before",
      { memory: { ...noRoles, listener: "b" }, dialable: { a: true, b: false } },
      "a",
    ],
  ])("is %s", (_what, changes, side) => {
    expect(listenerOf(input({}, {}, changes))).toBe(side);
  });
});

describe("a hint that other roles would be better", () => {
  test.each<[string, End, End, RoleMemory["hint"]]>([
    [
      "sure: only the listener can reach the other",
      { direct: open },
      { direct: closed, state: down },
      { kind: "sure", sinceMs: 5 },
    ],
    [
      "sure: also while it is relayed",
      { direct: open },
      { direct: closed, state: active, path: relayed },
      { kind: "sure", sinceMs: 5 },
    ],
    ["none: it is direct", { direct: open }, { direct: closed, state: active, path: directly }, undefined],
    ["none: neither can reach the other", { direct: closed }, { direct: closed, state: down }, undefined],
    ["none: the dialer can reach the listener", { direct: open }, { direct: open, state: down }, undefined],
    [
      "maybe: the listener does not test, and it is down",
      {},
      { state: down, cause: refused },
      { kind: "maybe", sinceMs: 5 },
    ],
    [
      "none: the listener does not test, but it is relayed",
      {},
      { direct: closed, state: active, path: relayed },
      undefined,
    ],
    ["none: it is down for another reason", {}, { state: down, cause: LinkCause.LINK_CAUSE_CERTIFICATE }, undefined],
  ])("is %s", (_what, listener, dialer, hint) => {
    expect(observeRoles(input(listener, dialer), 5).hint).toEqual(hint);
  });

  test("counts from when it was first seen, and begins anew when it changes", () => {
    const sure = input({ direct: open }, { direct: closed, state: down });
    const memory = observeRoles(sure, 5);
    expect(observeRoles({ ...sure, memory }, 9)).toBe(memory);
    const maybe = input({}, { state: down, cause: refused }, { memory });
    expect(observeRoles(maybe, 9).hint).toEqual({ kind: "maybe", sinceMs: 9 });
  });

  test("is forgotten, with the count of changes, when the link is direct", () => {
    const memory = { ...swapRoles("b", noRoles, 1), hint: { kind: "sure" as const, sinceMs: 1 } };
    const up = input({ state: active, path: directly }, { state: active, path: directly }, { memory });
    expect(observeRoles(up, 9)).toMatchObject({ hint: undefined, swaps: 0, listener: "b" });
  });
});

describe("changing roles", () => {
  test("is never done when one host cannot be dialled", () => {
    const memory = { ...noRoles, hint: { kind: "sure" as const, sinceMs: 0 } };
    expect(shouldSwap(input({}, {}, { memory }), 60_000)).toBe(true);
    expect(shouldSwap(input({}, {}, { memory, dialable: { a: true, b: false } }), 60_000)).toBe(false);
  });

  test("happens ever more rarely while nothing helps, whatever the ends say", () => {
    const ends = fc.record({
      state: fc.constantFrom(down, active, LinkState.LINK_STATE_PENDING),
      path: fc.constantFrom(relayed, LinkPath.LINK_PATH_UNSPECIFIED),
      cause: fc.constantFrom(refused, 0),
      direct: fc.constantFrom(open, closed, untested),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(ends, ends), { minLength: 1, maxLength: 20 }), (story) => {
        let memory: RoleMemory = noRoles;
        const swapsMs: number[] = [];
        // One hour, looked at every 2 s; the story repeats.
        for (let nowMs = 0; nowMs < 3_600_000; nowMs += 2000) {
          const [left, right] = story[(nowMs / 2000) % story.length] ?? [{}, {}];
          const listens = listenerOf(input({}, {}, { memory, ends: { a: undefined, b: undefined } }));
          const [listener, dialer] = [
            status(LinkRole.LINK_ROLE_LISTENER, left),
            status(LinkRole.LINK_ROLE_DIALER, right),
          ];
          const now = input(
            {},
            {},
            { memory, ends: listens === "a" ? { a: listener, b: dialer } : { a: dialer, b: listener } },
          );
          memory = observeRoles(now, nowMs);
          if (!shouldSwap({ ...now, memory }, nowMs)) continue;
          memory = swapRoles(listens === "a" ? "b" : "a", memory, nowMs);
          swapsMs.push(nowMs);
        }
        expect(swapsMs.length).toBeLessThanOrEqual(8);
      }),
      { numRuns: 30 },
    );
  });
});
