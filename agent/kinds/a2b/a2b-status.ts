import { type A2bStatus, A2bState } from "../../../proto/gen/zor/v1/a2b.js";

/** The status of a box of which nothing is known. */
export function downStatus(reason: string, since: Date): A2bStatus {
  return {
    state: A2bState.A2B_STATE_DOWN,
    reason,
    sinceTime: since,
    aToB: undefined,
    bToA: undefined,
    currentAToB: undefined,
    currentBToA: undefined,
    portA: "",
    portB: "",
    enginePid: 0n,
    seed: 0n,
  };
}
