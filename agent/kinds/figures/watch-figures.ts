import { resourceExhausted } from "../../../lib/errors.js";
import { checkSelection } from "../../../lib/figures/check-selection.js";
import { FigureEncoder } from "../../../lib/figures/encoder.js";
import type { WatchFiguresRequest, WatchFiguresResponse } from "../../../proto/gen/zor/v1/figures_service.js";
import type { Collector } from "../../figures/collector.js";

const maxWatchers = 64;

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
  let wake: () => void = () => undefined;
  const stop = collector.watch(() => wake());
  const end = (): void => wake();
  signal.addEventListener("abort", end);
  try {
    let seen = 0;
    while (!signal.aborted) {
      const sample = collector.latest;
      if (sample !== undefined && sample.number > seen) {
        seen = sample.number;
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
