import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import { fromStatus } from "../../lib/grpc/status-codec.js";
import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import { WaveItemState, WaveSpec } from "../../proto/gen/zor/v1/wave.js";
import { StartWaveRequest, WaveServiceService } from "../../proto/gen/zor/v1/wave_service.js";
import { presentOperation, runOperation } from "../client/operation.js";
import type { WaveRequest } from "../screens/requests.js";

const callTimeoutMs = 60_000;

/** Begins a wave and follows it to its end. Resolves to false when the server has none: an agent, or a hub of an earlier version. */
export async function runWave(
  connection: Connection,
  { wave, names, maxFailures, onFailed }: WaveRequest,
  signal: AbortSignal,
): Promise<boolean> {
  const options = { signal, timeoutMs: callTimeoutMs };
  const spec = WaveSpec.fromPartial({ ...wave, request: Buffer.from(wave.request), names: [...names], maxFailures });
  const request = StartWaveRequest.fromPartial({ spec, requestId: crypto.randomUUID() });
  let operation: Operation;
  try {
    const response = await connection.unary(WaveServiceService.startWave, request, options);
    operation = presentOperation(response.operation, wave.method);
  } catch (error) {
    if (error instanceof ZorError && error.code === status.UNIMPLEMENTED) return false;
    throw error;
  }
  const { name } = operation;
  // Not cut short with this program: it goes on without it. What became of each is told below, of one that failed as well.
  await runOperation(connection, operation).catch(() => undefined);
  const { wave: ended } = await connection.unary(WaveServiceService.getWave, { name }, options);
  for (const item of ended?.items ?? []) {
    if (item.state === WaveItemState.WAVE_ITEM_STATE_FAILED && item.error !== undefined)
      onFailed(item.name, fromStatus(item.error));
    if (item.state === WaveItemState.WAVE_ITEM_STATE_SKIPPED) onFailed(item.name, skipped(name, maxFailures));
  }
  return true;
}

function skipped(operation: string, maxFailures: number): ZorError {
  return new ZorError({
    reason: "WAVE_ENDED",
    code: status.ABORTED,
    message: `not begun: ${operation} had ended, cancelled or after more than ${maxFailures} failures`,
  });
}
