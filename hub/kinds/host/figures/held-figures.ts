import { toDuration } from "../../../../lib/duration.js";
import { messageOf } from "../../../../lib/errors.js";
import { FigureDecoder, type Watched } from "../../../../lib/figures/decoder.js";
import type { CallContext } from "../../../../lib/grpc/service.js";
import type { Log } from "../../../../lib/log.js";
import { type FigureReading, figuresOfMetrics, kindsOfMetrics } from "../../../../lib/metrics/figure-families.js";
import { WatchFiguresRequest, type WatchFiguresResponse } from "../../../../proto/gen/zor/v1/figures_service.js";
import { Role } from "../../../../proto/gen/zor/v1/token_service.js";
import { FleetFigures, type WatchParts } from "./watch-fleet.js";

/** Agents measure that often anyway. */
const everyMs = 10_000;
/** Values of a host, with those that are gone; an agent numbers them anew long before. */
const maxValues = 400_000;

/** What figures are held with. */
export interface HeldParts extends WatchParts {
  readonly log: Log;
  /** Ends it. */
  readonly stop: AbortSignal;
}

/**
 * The figures of the fleet as its agents told them last, for whoever reads the hub's metrics: a reader makes no agent measure. What a host
 * told is given up as soon as nothing comes from it: a counter that stands still would say that nothing happens there.
 */
export class HeldFigures {
  readonly #decoder = new FigureDecoder(maxValues);
  readonly #parts: HeldParts;
  /** Hosts that contradicted themselves, until they begin anew. */
  readonly #refused = new Set<string>();

  private constructor(parts: HeldParts) {
    this.#parts = parts;
  }

  /** Holds them until the hub ends. */
  static hold(parts: HeldParts): HeldFigures {
    const held = new HeldFigures(parts);
    void held.#follow().catch((error: unknown) => {
      if (!parts.stop.aborted) parts.log.error({ err: error }, "figures of hosts are not in the metrics any more");
    });
    return held;
  }

  /** All that is measured now; each thing once, whatever its agent says. */
  *readings(): Iterable<FigureReading> {
    const told = new Set<string>();
    for (const subject of this.#decoder.all()) {
      const key = `${subject.name} ${subject.part}`;
      if (told.has(key)) continue;
      told.add(key);
      yield toReading(subject);
    }
  }

  async #follow(): Promise<void> {
    const { stop } = this.#parts;
    const interval = toDuration(everyMs);
    const [figures, kinds] = [[...figuresOfMetrics], [...kindsOfMetrics]];
    const request = WatchFiguresRequest.fromPartial({ figures, kinds, parts: true, interval });
    for await (const response of new FleetFigures(this.#parts).watch(request, contextOf(stop))) this.#take(response);
  }

  #take(response: WatchFiguresResponse): void {
    const { host, silent, anew } = response;
    if (anew) this.#refused.delete(host);
    if (silent !== "") this.#decoder.forget(host);
    else if (!this.#refused.has(host)) {
      try {
        this.#decoder.take(response);
      } catch (error) {
        this.#refused.add(host);
        this.#decoder.forget(host);
        this.#parts.fleet.refuse(host.slice("hosts/".length), { name: host, why: messageOf(error) });
      }
    }
  }
}

function toReading({ name, part, values }: Watched): FigureReading {
  return { name, part, valueAt: (figure) => values.get(figure) };
}

/** The hub asks for itself, and without end. */
export function contextOf(signal: AbortSignal): CallContext {
  return {
    caller: { identity: "zor://hub/hub", kind: "hub", id: "hub", role: Role.ROLE_ADMIN },
    signal,
    method: "",
    peer: "",
    remainingMs: () => Number.POSITIVE_INFINITY,
    tell: () => undefined,
  };
}
