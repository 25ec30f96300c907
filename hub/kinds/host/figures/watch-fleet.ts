import { status } from "@grpc/grpc-js";
import { Backoff } from "../../../../lib/backoff.js";
import { messageOf, ZorError } from "../../../../lib/errors.js";
import { checkSelection } from "../../../../lib/figures/check-selection.js";
import type { CallContext } from "../../../../lib/grpc/service.js";
import {
  FiguresServiceService,
  type WatchFiguresRequest,
  WatchFiguresResponse,
} from "../../../../proto/gen/zor/v1/figures_service.js";
import type { HubParts } from "../../../kit/hub-kind.js";
import { findLieInFigures } from "./check-response.js";
import { Merged } from "./merged.js";

/** Responses that wait for a caller; agents keep the rest to themselves. */
const maxWaiting = 64;
const togetherMs = 50;

/** What watches of figures work with. */
export interface WatchParts {
  readonly fleet: Pick<HubParts["fleet"], "onChange" | "list" | "find" | "refuse">;
  readonly router: Pick<HubParts["router"], "isReady" | "silenceOf" | "stream">;
}

/** The figures of all hosts, in one watch each for whoever calls. */
export class FleetFigures {
  readonly #parts: WatchParts;
  /** Called when a host comes, goes, or changes its state. */
  readonly #listeners = new Set<() => void>();

  constructor(parts: WatchParts) {
    this.#parts = parts;
    let isDue = false;
    parts.fleet.onChange(() => {
      if (isDue || this.#listeners.size === 0) return;
      isDue = true;
      // Of many hosts that change together all are looked at once.
      setTimeout(() => {
        isDue = false;
        for (const listener of this.#listeners) listener();
      }, togetherMs).unref();
    });
  }

  /** Passes on what the agents of all hosts that are wanted tell, through losses of them. @throws {ZorError} INVALID_ARGUMENT */
  async *watch(request: WatchFiguresRequest, context: CallContext): AsyncGenerator<WatchFiguresResponse> {
    checkSelection(request);
    const ending = new AbortController();
    const signal = AbortSignal.any([context.signal, ending.signal]);
    const merged = new Merged<WatchFiguresResponse>(maxWaiting);
    const followed = new Set<string>();
    const news = { wakes: new Set<() => void>() };
    const look = (): void => {
      for (const wake of [...news.wakes]) wake();
      for (const { name, uid } of this.#parts.fleet.list(new Date())) {
        const host = name.slice("hosts/".length);
        const own = narrow(request, name);
        if (followed.has(host) || uid === "" || own === undefined) continue;
        followed.add(host);
        const follower = { host, request: own, context: { ...context, signal }, merged, news };
        void this.#follow(follower).finally(() => followed.delete(host));
      }
    };
    const end = (): void => merged.end();
    signal.addEventListener("abort", end);
    this.#listeners.add(look);
    try {
      look();
      yield* merged.items();
    } finally {
      this.#listeners.delete(look);
      ending.abort();
      signal.removeEventListener("abort", end);
      end();
    }
  }

  /** Follows one host until the watch ends or the host is forgotten. */
  async #follow({ host, request, context, merged, news }: Follower): Promise<void> {
    const { fleet, router } = this.#parts;
    const { signal } = context;
    const backoff = new Backoff({ minMs: 250, maxMs: 5000 });
    let told = "";
    const tell = async (silent: string): Promise<void> => {
      if (silent === told) return;
      told = silent;
      await merged.push(WatchFiguresResponse.fromPartial({ host: `hosts/${host}`, silent }));
    };
    while (!signal.aborted) {
      if (fleet.find(host) === undefined) return await tell(`hosts/${host} is not registered any more`);
      if (!router.isReady(host)) {
        await tell(router.silenceOf(host));
        await changed(news, signal);
        continue;
      }
      try {
        for await (const response of router.stream(FiguresServiceService.watchFigures, { host, request }, context)) {
          const why = findLieInFigures(host, response);
          if (why !== undefined) {
            fleet.refuse(host, { name: `hosts/${host}`, why });
            return await tell(`the hub did not believe its agent: ${why}`);
          }
          told = "";
          backoff.reset();
          await merged.push(response);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ZorError && error.code === status.UNIMPLEMENTED) {
          await tell(`its agent is older than this hub and tells no figures`);
          await changed(news, signal);
          continue;
        }
        await tell(messageOf(error));
      }
      await backoff.wait(signal);
    }
  }
}

interface Follower {
  readonly host: string;
  readonly request: WatchFiguresRequest;
  readonly context: CallContext;
  readonly merged: Merged<WatchFiguresResponse>;
  readonly news: { readonly wakes: Set<() => void> };
}

/** What is asked of one host; undefined: nothing is wanted of it. */
function narrow(request: WatchFiguresRequest, host: string): WatchFiguresRequest | undefined {
  if (request.names.length === 0) return request;
  const names = request.names.filter(
    (name) => name === host || name.startsWith(`${host}/`) || name.startsWith("links/"),
  );
  return names.length === 0 ? undefined : { ...request, names };
}

/** Resolves when a host has changed, or the watch ends. */
function changed({ wakes }: Follower["news"], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      wakes.delete(go);
      signal.removeEventListener("abort", go);
      resolve();
    };
    wakes.add(go);
    signal.addEventListener("abort", go);
    if (signal.aborted) go();
  });
}
