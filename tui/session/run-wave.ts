import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import { fromStatus } from "../../lib/grpc/status-codec.js";
import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import { type WaveItem, WaveItemState, WaveSpec } from "../../proto/gen/zor/v1/wave.js";
import { StartWaveRequest, WaveServiceService } from "../../proto/gen/zor/v1/wave_service.js";
import { isAwaited } from "../kinds/operation/wave-states.js";
import { presentOperation, runOperation } from "../client/operation.js";
import { watchWave } from "../client/watch-wave.js";
import type { WaveRequest } from "../screens/requests.js";

const callTimeoutMs = 60_000;

/** Begins a wave and follows it to its end. Resolves to false when the server has none: an agent, or a hub of an earlier version. */
export async function runWave(
  connection: Connection,
  { wave, names, maxFailures, ...told }: WaveRequest,
  signal: AbortSignal,
): Promise<boolean> {
  const bounds = { names: [...names], maxFailures, pauseWhenSpent: true };
  const spec = WaveSpec.fromPartial({ ...wave, request: Buffer.from(wave.request), ...bounds });
  const request = StartWaveRequest.fromPartial({ spec, requestId: crypto.randomUUID() });
  let operation: Operation;
  try {
    const response = await connection.unary(WaveServiceService.startWave, request, {
      signal,
      timeoutMs: callTimeoutMs,
    });
    operation = presentOperation(response.operation, wave.method);
  } catch (error) {
    if (isUnknown(error)) return false;
    throw error;
  }
  told.onBegun(operation.name);
  // Not cut short with this program: it goes on without it.
  await follow(connection, operation, { signal, onNews: (items) => tell(items, told) });
  return true;
}

async function follow(
  connection: Connection,
  operation: Operation,
  { signal, onNews }: { readonly signal: AbortSignal; readonly onNews: (changed: readonly WaveItem[]) => void },
): Promise<void> {
  const { name } = operation;
  try {
    await watchWave(connection, name, {
      signal,
      onNews: (_, changed) => onNews(changed),
      // It is tried again, and the header tells that the hub is away.
      onTrouble: () => undefined,
    });
  } catch (error) {
    if (!isUnknown(error)) throw error;
    // A hub of an earlier version only tells how each has ended.
    await runOperation(connection, operation, { signal }).catch(() => undefined);
    const { wave } = await connection.unary(WaveServiceService.getWave, { name }, { signal, timeoutMs: callTimeoutMs });
    onNews(wave?.items ?? []);
  }
}

function tell(
  changed: readonly WaveItem[],
  { onStarted, onFailed, onSkipped }: Pick<WaveRequest, "onStarted" | "onFailed" | "onSkipped">,
): void {
  const skipped: string[] = [];
  for (const item of changed) {
    const { name, state, error } = item;
    const { WAVE_ITEM_STATE_FAILED: failed, WAVE_ITEM_STATE_UNCONFIRMED: unconfirmed } = WaveItemState;
    if (state === WaveItemState.WAVE_ITEM_STATE_SKIPPED) skipped.push(name);
    else if (isAwaited(item)) onStarted(name);
    else if ((state === failed || state === unconfirmed) && error !== undefined) onFailed(name, fromStatus(error));
    else if (state !== WaveItemState.WAVE_ITEM_STATE_PENDING) onStarted(name);
  }
  if (skipped.length > 0) onSkipped(skipped, "its wave had ended, cancelled or after too many failures");
}

function isUnknown(error: unknown): boolean {
  return error instanceof ZorError && error.code === status.UNIMPLEMENTED;
}
