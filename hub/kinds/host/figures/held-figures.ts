import { toDuration } from "../../../../lib/duration.js";
import type { Watched } from "../../../../lib/figures/decoder.js";
import { type FigureReading, figuresOfMetrics, kindsOfMetrics } from "../../../../lib/metrics/figure-families.js";
import { WatchFiguresRequest } from "../../../../proto/gen/zor/v1/figures_service.js";
import { KeptFigures, type KeptParts } from "./kept-figures.js";

/** Agents measure that often anyway. */
const everyMs = 10_000;

/**
 * The figures of the fleet as its agents told them last, for whoever reads the hub's metrics: a reader makes no agent measure. What a host
 * told is given up as soon as nothing comes from it: a counter that stands still would say that nothing happens there.
 */
export class HeldFigures {
  readonly #figures: KeptFigures;

  private constructor(parts: KeptParts) {
    this.#figures = new KeptFigures(parts);
  }

  /** Holds them until the hub ends. */
  static hold(parts: KeptParts): HeldFigures {
    const held = new HeldFigures(parts);
    void held.#follow(parts.stop).catch((error: unknown) => {
      if (!parts.stop.aborted) parts.log.error({ err: error }, "figures of hosts are not in the metrics any more");
    });
    return held;
  }

  /** All that is measured now; each thing once, whatever its agent says. */
  *readings(): Iterable<FigureReading> {
    const told = new Set<string>();
    for (const subject of this.#figures.all()) {
      const key = `${subject.name} ${subject.part}`;
      if (told.has(key)) continue;
      told.add(key);
      yield toReading(subject);
    }
  }

  async #follow(stop: AbortSignal): Promise<void> {
    const interval = toDuration(everyMs);
    const [figures, kinds] = [[...figuresOfMetrics], [...kindsOfMetrics]];
    const request = WatchFiguresRequest.fromPartial({ figures, kinds, parts: true, interval });
    await this.#figures.follow(request, stop, () => undefined);
  }
}

function toReading({ name, part, values }: Watched): FigureReading {
  return { name, part, valueAt: (figure) => values.get(figure) };
}
