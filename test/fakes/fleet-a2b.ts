import { toDuration } from "../../lib/duration.js";
import { A2b, A2bState } from "../../proto/gen/zor/v1/a2b.js";
import type { AnyResource } from "./fleet-data.js";

/** An in-line box between lan1 and lan2 of a host that delays, loses and limits from a to b. */
export function fakeA2b(
  host: string,
  id: string,
  nowMs: number,
  change: Parameters<typeof A2b.fromPartial>[0] = {},
): AnyResource {
  const aToB = { delay: toDuration(50), jitter: toDuration(5), lossRatio: 0.01, rateBps: 10_000_000n };
  const value = A2b.fromPartial({
    name: `hosts/${host}/a2bs/${id}`,
    uid: `uid-${host}-${id}`,
    spec: {
      lanA: "lan1",
      lanB: "lan2",
      aToB,
      schedule: [
        {
          start: toDuration(30_000),
          duration: toDuration(10_000),
          repeatEvery: toDuration(60_000),
          impairment: { down: true },
        },
      ],
    },
    status: {
      state: A2bState.A2B_STATE_ACTIVE,
      sinceTime: new Date(nowMs - 75_000),
      aToB: { inFrames: 12_000n, inBytes: 1_200_000n, outFrames: 11_880n, lostFrames: 100n, droppedQueueFrames: 20n },
      bToA: { inFrames: 345n, outFrames: 345n },
      currentAToB: aToB,
      portA: "ztboxa",
      portB: "ztboxb",
      enginePid: 778n,
      seed: 99n,
    },
    createTime: new Date(nowMs - 3_600_000),
    ...change,
  });
  return { kind: "a2b", value };
}
