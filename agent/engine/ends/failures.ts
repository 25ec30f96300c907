import type { CableFailure } from "../handshake/failure.js";
import type { EndEvent, Path } from "./link-state.js";

/** Why each way to the other host does not work while nothing is connected, and when it is tried again. */
export class Failures {
  readonly #known = new Map<Path, { readonly failure: CableFailure; readonly nextTryMs: number | undefined }>();

  set(path: Path, failure: CableFailure, nextTryMs: number | undefined): void {
    this.#known.set(path, { failure, nextTryMs });
  }

  clear(): void {
    this.#known.clear();
  }

  /** All of them as one event. The direct way's cause comes first: the relay is but a substitute for it. */
  get event(): EndEvent & { readonly type: "failed" } {
    const known = (["direct", "relayed"] as const).map((path) => this.#known.get(path)).filter((one) => !!one);
    const times = known.map(({ nextTryMs }) => nextTryMs).filter((time) => time !== undefined);
    return {
      type: "failed",
      reason: known.map(({ failure }) => failure.message).join("; "),
      cause: known[0]?.failure.kind ?? "",
      nextTryMs: times.length === 0 ? undefined : Math.min(...times),
    };
  }
}
