import { messageOf } from "../../../../lib/errors.js";
import { FigureDecoder, type Watched } from "../../../../lib/figures/decoder.js";
import type { CallContext } from "../../../../lib/grpc/service.js";
import type { Log } from "../../../../lib/log.js";
import type { WatchFiguresRequest, WatchFiguresResponse } from "../../../../proto/gen/zor/v1/figures_service.js";
import { Role } from "../../../../proto/gen/zor/v1/token_service.js";
import { FleetFigures, type WatchParts } from "./watch-fleet.js";

/** Values of a host, with those that are gone; an agent numbers them anew long before. */
const maxValues = 400_000;

/** What the hub watches figures with for itself. */
export interface KeptParts extends WatchParts {
  readonly log: Log;
  /** Ends it. */
  readonly stop: AbortSignal;
}

/** What a response changed. */
export interface Taken {
  /** "hosts/{host}" */
  readonly host: string;
  /** All that was known of the host before is given up. */
  readonly isForgotten: boolean;
  /** Of what it says something new, or that it is gone. */
  readonly changed: Iterable<Watched>;
  /** Something of it is not measured any more. */
  readonly hasGone: boolean;
}

/**
 * The figures of the fleet as its agents told them last, for what the hub itself needs them for. What a host told is given up as soon as nothing
 * comes from it, and a host that contradicts itself is told of and left out until it begins anew.
 */
export class KeptFigures {
  readonly #parts: KeptParts;
  readonly #fleet: FleetFigures;
  /** Hosts that contradicted themselves. */
  readonly #refused = new Set<string>();
  #decoder = new FigureDecoder(maxValues);

  constructor(parts: KeptParts) {
    this.#parts = parts;
    this.#fleet = new FleetFigures(parts);
  }

  /** Follows the fleet until a signal. @param onTaken told of each response, once it is taken in. */
  async follow(request: WatchFiguresRequest, signal: AbortSignal, onTaken: (taken: Taken) => void): Promise<void> {
    for await (const response of this.#fleet.watch(request, contextOf(signal))) {
      // Another watch may have begun, which numbers anew.
      if (signal.aborted) return;
      onTaken(this.#take(response));
    }
  }

  /** All that is measured now. */
  all(): Iterable<Watched> {
    return this.#decoder.all();
  }

  /** What is measured on a host ("hosts/{host}") now. */
  ofHost(host: string): Iterable<Watched> {
    return this.#decoder.ofHost(host);
  }

  /** Knows nothing any more, as at the beginning. */
  clear(): void {
    this.#decoder = new FigureDecoder(maxValues);
    this.#refused.clear();
  }

  #take(response: WatchFiguresResponse): Taken {
    const { host, silent, anew } = response;
    if (anew) this.#refused.delete(host);
    if (silent !== "" || this.#refused.has(host)) return this.#forgotten(host);
    try {
      const changed = this.#decoder.take(response);
      return { host, isForgotten: anew, changed, hasGone: response.gone.length > 0 };
    } catch (error) {
      this.#refused.add(host);
      this.#parts.fleet.refuse(host.slice("hosts/".length), { name: host, why: messageOf(error) });
      return this.#forgotten(host);
    }
  }

  #forgotten(host: string): Taken {
    this.#decoder.forget(host);
    return { host, isForgotten: true, changed: [], hasGone: false };
  }
}

/** The hub asks for itself, and without end. */
function contextOf(signal: AbortSignal): CallContext {
  return {
    caller: { identity: "zor://hub/hub", kind: "hub", id: "hub", role: Role.ROLE_ADMIN },
    signal,
    method: "",
    peer: "",
    remainingMs: () => Number.POSITIVE_INFINITY,
    tell: () => undefined,
  };
}
