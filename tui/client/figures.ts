import { status } from "@grpc/grpc-js";
import { Backoff } from "../../lib/backoff.js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { Calls } from "../../lib/grpc/connection.js";
import { FigureDecoder } from "../../lib/figures/decoder.js";
import {
  FiguresServiceService,
  type WatchFiguresRequest,
  type WatchFiguresResponse,
} from "../../proto/gen/zor/v1/figures_service.js";

const retry = { minMs: 200, maxMs: 2000 };
/** What may be there again soon. */
const lostCodes: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.CANCELLED,
  status.INTERNAL,
  status.RESOURCE_EXHAUSTED,
]);

/** Who looks at figures. */
export interface FiguresViewer {
  readonly signal: AbortSignal;
  /** Called after each response that was taken in. */
  readonly onNews: (response: WatchFiguresResponse) => void;
  /** Called when the server was lost. */
  readonly onTrouble?: () => void;
}

/** Figures as they are, through restarts of the server. */
export class FollowedFigures {
  #decoder = new FigureDecoder();
  #trouble = "";

  /** The server does not answer: all is as it was before. */
  get isLost(): boolean {
    return this.#trouble !== "";
  }

  /** All that are known. */
  get decoder(): FigureDecoder {
    return this.#decoder;
  }

  /** What is wrong, for people; "": nothing is. */
  get trouble(): string {
    if (this.#trouble !== "") return this.#trouble;
    const silent = [...this.#decoder.hosts].filter(([, host]) => host.silent !== "");
    return silent.map(([, host]) => host.silent).join("; ");
  }

  /** Follows until the signal aborts. @throws {ZorError} when they cannot be watched. */
  async follow(
    connection: Calls,
    request: WatchFiguresRequest,
    { signal, onNews, onTrouble }: FiguresViewer,
  ): Promise<void> {
    const backoff = new Backoff(retry);
    while (!signal.aborted) {
      try {
        let isNew = true;
        for await (const response of connection.stream(FiguresServiceService.watchFigures, request, { signal })) {
          if (isNew) this.#decoder = new FigureDecoder();
          isNew = false;
          this.#trouble = "";
          backoff.reset();
          this.#decoder.take(response);
          onNews(response);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ZorError && lostCodes.has(error.code))) throw error;
        this.#trouble = `the server was lost (${messageOf(error)}); trying again`;
        onTrouble?.();
      }
      await backoff.wait(signal);
    }
  }
}
