import { expect, test } from "vitest";
import { initialVxlanState, nextVxlanState, type VxlanState } from "../../../agent/network/c2c/vxlan-state.js";
import { vxlanProbe } from "../../../agent/network/c2c/vxlan-probe.js";

/** One look a second. */
function run(
  looks: readonly { readonly fault?: string; readonly rxFrames: number; readonly allowed?: boolean }[],
): VxlanState {
  return looks.reduce(
    (state, { fault = "", rxFrames, allowed = true }, index) =>
      nextVxlanState(state, { fault, rxFrames, allowed }, 1_000 * (index + 1)),
    initialVxlanState(0),
  );
}

const silent = Array.from({ length: 12 }, () => ({ rxFrames: 5 }));

test.each<[string, Parameters<typeof run>[0], VxlanState["phase"], string]>([
  ["nothing is known of a new end", [], "down", "its device is being made"],
  ["without a frame of the other end it is not active", [{ rxFrames: 0 }], "probing", "waiting for a frame"],
  ["a frame makes it active", [{ rxFrames: 0 }, { rxFrames: 1 }], "active", ""],
  ["it stays so for a while", [{ rxFrames: 5 }, { rxFrames: 5 }], "active", ""],
  ["when nothing comes any more it is not", [{ rxFrames: 1 }, ...silent], "probing", "nothing came"],
  ["a device made anew counts from the beginning", [{ rxFrames: 9 }, { rxFrames: 1 }], "active", ""],
  ["a missing lan is told", [{ rxFrames: 1 }, { rxFrames: 1, fault: "lan lan1 does not exist" }], "down", "lan lan1"],
  [
    "and frames of before do not count when it is back",
    [{ rxFrames: 5 }, { rxFrames: 5, fault: "lan lan1 does not exist" }, { rxFrames: 5 }],
    "probing",
    "waiting for a frame",
  ],
  ["policy comes first", [{ rxFrames: 5, fault: "x", allowed: false }], "down", "policy"],
])("%s", (_what, looks, phase, reason) => {
  const state = run(looks);
  expect(state.phase).toBe(phase);
  expect(state.reason).toContain(reason);
  expect(state.reason === "").toBe(phase === "active");
});

test("a probe is a frame of the network, to an address that switches do not forward", () => {
  const probe = vxlanProbe(0x5a0001);
  expect(probe.subarray(0, 8).toString("hex")).toBe("080000005a000100");
  expect(probe.subarray(8, 14).toString("hex")).toBe("0180c200000e");
});
