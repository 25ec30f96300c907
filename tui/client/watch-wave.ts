import { status } from "@grpc/grpc-js";
import { Backoff } from "../../lib/backoff.js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { Calls } from "../../lib/grpc/connection.js";
import { OperationState } from "../../proto/gen/zor/v1/operation.js";
import type { Wave, WaveItem } from "../../proto/gen/zor/v1/wave.js";
import { WaveServiceService } from "../../proto/gen/zor/v1/wave_service.js";

const retry = { minMs: 200, maxMs: 2000 };
/** What may be there again soon. */
const lostCodes: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.CANCELLED, status.INTERNAL]);

/** Who looks at a wave. */
export interface WaveViewer {
  readonly signal: AbortSignal;
  /** Called with the whole wave as it is now, and those of its resources that have changed. */
  readonly onNews: (wave: Wave, changed: readonly WaveItem[]) => void;
  /** Called when the server was lost, with what people are told. */
  readonly onTrouble: (text: string) => void;
}

/** Follows a wave to its end, through restarts of the hub, or until the signal aborts. @throws {ZorError} when it cannot be watched. */
export async function watchWave(
  connection: Calls,
  name: string,
  { signal, onNews, onTrouble }: WaveViewer,
): Promise<void> {
  const backoff = new Backoff(retry);
  let now: Wave | undefined;
  while (!signal.aborted) {
    try {
      let isFirst = true;
      for await (const { wave } of connection.stream(WaveServiceService.watchWave, { name }, { signal })) {
        if (wave === undefined) continue;
        const before = now;
        now = isFirst || now === undefined ? wave : merged(now, wave);
        isFirst = false;
        backoff.reset();
        onNews(now, before === undefined ? wave.items : wave.items.filter((item) => isOther(before, item)));
        if (wave.state !== OperationState.OPERATION_STATE_RUNNING) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ZorError && lostCodes.has(error.code))) throw error;
      onTrouble(`the hub was lost (${messageOf(error)}); trying again`);
    }
    await backoff.wait(signal);
  }
}

function merged(before: Wave, news: Wave): Wave {
  const changed = new Map(news.items.map((item) => [item.name, item]));
  return { ...news, spec: before.spec, items: before.items.map((item) => changed.get(item.name) ?? item) };
}

function isOther({ items }: Wave, { name, state, operation, endTime, error }: WaveItem): boolean {
  const before = items.find((item) => item.name === name);
  if (before === undefined || before.state !== state || before.operation !== operation) return true;
  return before.endTime?.getTime() !== endTime?.getTime() || before.error?.message !== error?.message;
}
