import type { Calls } from "../../../lib/grpc/connection.js";
import { CaptureServiceService } from "../../../proto/gen/zor/v1/capture_service.js";

/** How far a host's clock is from the one here. */
export interface ClockOffset {
  /** To be taken from the host's times for times here, in nanoseconds. */
  readonly offsetNs: bigint;
  /** The offset is wrong by this at most: half of the time that asking took. */
  readonly errorNs: bigint;
}

const rounds = 8;
const timeoutMs = 5_000;

/** Nanoseconds since 1970 by the clock here, which is not set while this program runs. */
export function nowHereNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1_000n;
}

/** One question, as it was asked and answered. */
export interface ClockRound {
  readonly askedNs: bigint;
  readonly receiveNs: bigint;
  readonly sendNs: bigint;
  readonly answeredNs: bigint;
}

/** What a round tells: that of the shortest way is the best. Pure. */
export function offsetOf({ askedNs, receiveNs, sendNs, answeredNs }: ClockRound): ClockOffset {
  const there = receiveNs - askedNs;
  const back = answeredNs - sendNs;
  return { offsetNs: (there - back) / 2n, errorNs: (there + back + 1n) / 2n };
}

/** Asks a host for its clock a few times, one after the other, and takes the round that took least. @throws {ZorError} */
export async function measureClock(connection: Calls, host: string, signal: AbortSignal): Promise<ClockOffset> {
  let best: ClockOffset | undefined;
  for (let round = 0; round < rounds; round += 1) {
    const askedNs = nowHereNs();
    const request = { name: `hosts/${host}` };
    const answer = await connection.unary(CaptureServiceService.readClock, request, { signal, timeoutMs });
    const answeredNs = nowHereNs();
    const measured = offsetOf({ askedNs, receiveNs: answer.receiveNanos, sendNs: answer.sendNanos, answeredNs });
    if (best === undefined || measured.errorNs < best.errorNs) best = measured;
  }
  return best ?? { offsetNs: 0n, errorNs: 0n };
}
