import { status } from "@grpc/grpc-js";
import { Backoff, pause } from "../../lib/backoff.js";
import { unavailable, ZorError } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import { type WatchPosition, type WatchResponse, WatchServiceService } from "../../proto/gen/zor/v1/watch_service.js";
import type { FleetStep } from "../kit/fleet/fleet-step.js";

/** Where a watch's connection stands. */
export type ConnectionState =
  | { readonly phase: "connecting"; readonly attempt: number }
  /** The server answers; `since` is when it last began to. */
  | { readonly phase: "live"; readonly since: Date }
  /** Lost; the next attempt begins at `retryAt`. What was shown is old from `error` on. */
  | { readonly phase: "waiting"; readonly error: ZorError; readonly retryAt: Date; readonly attempt: number };

/** What is watched, and how. */
export interface FleetWatchOptions {
  /** Kinds to watch, in the singular; empty or absent: all. */
  readonly kinds?: readonly string[];
  /** Only resources below this name, "hosts/alpha". */
  readonly parent?: string;
  /** Ends the watch, without error. */
  readonly signal?: AbortSignal;
  /** Told of every change of the connection's state. */
  readonly onState?: (state: ConnectionState) => void;
}

const bookmarkSeconds = 2;
/** A server that sends not even a bookmark for this long is taken for dead. */
const silenceMs = 8_000;
const reconnect = { minMs: 500, maxMs: 5_000 };

/** Asking again cannot help with these. */
const finalCodes: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
  status.UNIMPLEMENTED,
]);

/** Asking again cannot help, nor with a pattern that is given up. */
function isFinal({ code, reason }: ZorError): boolean {
  return finalCodes.has(code) || reason === "PATTERN_TOO_COSTLY";
}

/**
 * Watches a hub or agent for as long as the caller iterates: resumes from the last position after every loss, with growing,
 * jittered delays of up to 5 s, for ever.
 * @throws {ZorError} when the server refuses the watch (role, certificate, bad parent); never for a lost connection.
 */
export async function* watchFleet(
  connection: Connection,
  options: FleetWatchOptions = {},
): AsyncGenerator<FleetStep, void, undefined> {
  for await (const { step } of watchResponses(connection, options)) {
    if (step !== undefined) yield step;
  }
}

/** {@link watchFleet} with each step's position, for output that shows the API's responses as they are. */
export async function* watchResponses(
  connection: Connection,
  options: FleetWatchOptions = {},
): AsyncGenerator<WatchResponse, void, undefined> {
  let position: WatchPosition | undefined;
  async function* once(): AsyncGenerator<WatchResponse, void, undefined> {
    // Between a reset and the end of its snapshot there is no place to resume from.
    let inSnapshot = position === undefined;
    for await (const response of watchOnce(connection, position, options)) {
      if (response.step?.$case === "reset") inSnapshot = true;
      if (response.step?.$case === "snapshotEnd") inSnapshot = false;
      position = inSnapshot ? undefined : (response.position ?? position);
      yield response;
    }
  }
  yield* resumed(once, options);
}

/**
 * What a stream gives, which is begun again after every loss, with growing, jittered delays of up to 5 s, for ever.
 * @param once begins it where it stood. @throws {ZorError} when the server refuses it.
 */
export async function* resumed<T>(
  once: () => AsyncIterable<T>,
  { signal, onState }: Pick<FleetWatchOptions, "signal" | "onState">,
): AsyncGenerator<T, void, undefined> {
  const backoff = new Backoff(reconnect);
  const ended = (): boolean => signal?.aborted === true;
  for (let attempt = 1; !ended(); attempt++) {
    onState?.({ phase: "connecting", attempt });
    let lost: ZorError;
    try {
      let live = false;
      for await (const response of once()) {
        if (!live) onState?.({ phase: "live", since: new Date() });
        live = true;
        attempt = 0;
        backoff.reset();
        yield response;
      }
      if (ended()) return;
      lost = unavailable("WATCH_ENDED", "", "the server ended the watch");
    } catch (error) {
      if (ended()) return;
      if (!(error instanceof ZorError) || isFinal(error)) throw error;
      lost = error;
    }
    const delayMs = backoff.nextMs();
    onState?.({ phase: "waiting", error: lost, retryAt: new Date(Date.now() + delayMs), attempt });
    await pause(delayMs, signal ?? new AbortController().signal);
  }
}

/** One stream; ends with UNAVAILABLE when the server is silent for too long while the caller waits for it. */
async function* watchOnce(
  connection: Connection,
  position: WatchPosition | undefined,
  { kinds, parent, signal }: FleetWatchOptions,
): AsyncGenerator<WatchResponse, void, undefined> {
  const silence = new AbortController();
  const responses = connection.stream(
    WatchServiceService.watch,
    { kinds: [...(kinds ?? [])], position, bookmarkSeconds, parent: parent ?? "" },
    { signal: AbortSignal.any([silence.signal, ...(signal === undefined ? [] : [signal])]) },
  );
  const iterator = responses[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => silence.abort(), silenceMs);
      const result = await iterator.next().finally(() => clearTimeout(timer));
      if (result.done === true) return;
      yield result.value;
    }
  } catch (error) {
    if (!silence.signal.aborted) throw error;
    throw unavailable("WATCH_SILENT", "", `the server has been silent for ${silenceMs / 1000} s`, error);
  } finally {
    silence.abort();
    await iterator.return?.();
  }
}
