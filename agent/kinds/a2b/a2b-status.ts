import { A2bState, type A2bStatus } from "../../../proto/gen/zor/v1/a2b.js";
import type { ImpairmentStats } from "../../../proto/gen/zor/v1/impairment.js";
import { toImpairmentMessage } from "./a2b-spec.js";
import type { BoxView } from "../../engine/protocol/box-protocol.js";

/** What clients see of a box. @param enginePid of the engine that told the view. */
export function toStatus(view: BoxView, enginePid: number): A2bStatus {
  const [a, b] = view.sides;
  return {
    state: view.active ? A2bState.A2B_STATE_ACTIVE : A2bState.A2B_STATE_DOWN,
    reason: view.reason,
    sinceTime: new Date(view.sinceMs),
    aToB: toStats(a.counters),
    bToA: toStats(b.counters),
    currentAToB: toImpairmentMessage(a.inForce),
    currentBToA: toImpairmentMessage(b.inForce),
    portA: a.port,
    portB: b.port,
    enginePid: BigInt(enginePid),
    seed: BigInt(view.seed),
  };
}

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

/** Counters as clients see them. */
export function toStats(counters: BoxView["sides"][0]["counters"]): ImpairmentStats {
  return {
    inFrames: BigInt(counters.inFrames),
    inBytes: BigInt(counters.inBytes),
    outFrames: BigInt(counters.outFrames),
    outBytes: BigInt(counters.outBytes),
    lostFrames: BigInt(counters.lostFrames),
    droppedQueueFrames: BigInt(counters.droppedQueueFrames),
    droppedDownFrames: BigInt(counters.droppedDownFrames),
    droppedPortFrames: BigInt(counters.droppedPortFrames),
    duplicatedFrames: BigInt(counters.duplicatedFrames),
    reorderedFrames: BigInt(counters.reorderedFrames),
    corruptedFrames: BigInt(counters.corruptedFrames),
    queuedFrames: BigInt(counters.queuedFrames),
    queuedBytes: BigInt(counters.queuedBytes),
  };
}
