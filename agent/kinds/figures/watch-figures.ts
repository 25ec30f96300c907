import { resourceExhausted } from "../../../lib/errors.js";
import { checkSelection, intervalMsOf } from "../../../lib/figures/check-selection.js";
import { FigureEncoder } from "../../../lib/figures/encoder.js";
import type { WatchFiguresRequest, WatchFiguresResponse } from "../../../proto/gen/zor/v1/figures_service.js";
import type { Collector } from "../../figures/collector.js";

const maxWatchers = 64;
/** Samples come at about their time. */
const slackMs = 500;

/**
 * Figures as they are, then what changes. A slow reader gets fewer samples, never old ones.
 * @throws {ZorError} INVALID_ARGUMENT, RESOURCE_EXHAUSTED
 */
export async function* watchFigures(
  collector: Collector,
  request: WatchFiguresRequest,
  { host, signal }: { readonly host: string; readonly signal: AbortSignal },
): AsyncGenerator<WatchFiguresResponse> {
  checkSelection(request);
  if (collector.watchers >= maxWatchers)
    throw resourceExhausted(
      "TOO_MANY_WATCHES",
      `hosts/${host} serves ${maxWatchers} watches of figures already; end one`,
    );
  const encoder = new FigureEncoder(host, request);
  const intervalMs = intervalMsOf(request);
  let wake: () => void = () => undefined;
  const stop = collector.watch(() => wake(), intervalMs);
  const end = (): void => wake();
  signal.addEventListener("abort", end);
  try {
    let seen = 0;
    let nextMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const sample = collector.latest;
      const nowMs = performance.now();
      if (sample !== undefined && sample.number > seen && nowMs >= nextMs) {
        seen = sample.number;
        nextMs = nowMs + intervalMs - slackMs;
        const response = encoder.encode(sample);
        if (response !== undefined) yield response;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    signal.removeEventListener("abort", end);
    stop();
  }
}
