import { status } from "@grpc/grpc-js";
import { Backoff } from "../../../lib/backoff.js";
import { messageOf, ZorError } from "../../../lib/errors.js";
import type { Calls } from "../../../lib/grpc/connection.js";
import {
  type CaptureFigures,
  type CaptureInterface,
  CaptureRequest,
  CaptureServiceService,
} from "../../../proto/gen/zor/v1/capture_service.js";

/** What is captured on one host. */
export interface HostCapture {
  /** Id of the host. */
  readonly host: string;
  /** To the hub, or to the host's own agent. */
  readonly connection: Calls;
  readonly request: Omit<Partial<CaptureRequest>, "name" | "captureId" | "nextPacket">;
}

/** What comes from the capture of one host. */
export type CaptureEvent =
  /** The numbers of interfaces of what follows begin anew. */
  | { readonly type: "begun"; readonly isSame: boolean }
  | { readonly type: "interface"; readonly info: CaptureInterface }
  /** @param lost so many before these were captured and are gone. */
  | {
      readonly type: "packets";
      readonly blocks: Buffer;
      readonly count: number;
      readonly lost: number;
      readonly completeNs: bigint;
    }
  | { readonly type: "figures"; readonly figures: CaptureFigures }
  /** The call was lost, and is tried again. */
  | { readonly type: "away"; readonly why: string }
  | { readonly type: "back"; readonly isWhole: boolean }
  | { readonly type: "ended"; readonly reason: string };

const retry = { minMs: 100, maxMs: 2000 };
const lostCodes: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.CANCELLED,
  status.INTERNAL,
  status.RESOURCE_EXHAUSTED,
]);
const stopTimeoutMs = 5_000;

/**
 * Reads the capture of a host until it ends. A call that is lost is made again, and goes on where the host still has frames; a capture
 * that is gone is begun again. When `stop` aborts, the capture is ended and what is there already is still read.
 * @throws {ZorError} when it cannot begin.
 */
export async function* readCapture(
  { host, connection, request }: HostCapture,
  stop: AbortSignal,
): AsyncGenerator<CaptureEvent> {
  const backoff = new Backoff(retry);
  const state = { captureId: "", next: 0, isAway: false };
  const name = `hosts/${host}`;
  // Whoever stops does not wait for long: neither for a host that is away nor for one that hangs.
  const cut = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onStop = (): void => {
    timer = setTimeout(() => cut.abort(), stopTimeoutMs);
    if (state.captureId === "" || state.isAway) {
      cut.abort();
      return;
    }
    const stopping = { name, captureId: state.captureId };
    connection
      .unary(CaptureServiceService.stopCapture, stopping, { timeoutMs: stopTimeoutMs })
      .catch(() => cut.abort());
  };
  stop.addEventListener("abort", onStop, { once: true });
  try {
    while (!stop.aborted || state.captureId !== "") {
      try {
        const asked = CaptureRequest.fromPartial({
          ...request,
          ...{ name, captureId: state.captureId, nextPacket: BigInt(state.next) },
        });
        yield* eventsOf(stream(connection, asked, cut.signal), state, backoff);
        state.captureId = "";
        return;
      } catch (error) {
        if (cut.signal.aborted) break;
        if (state.captureId === "" && !state.isAway) throw error;
        const isGone = error instanceof ZorError && error.code === status.NOT_FOUND && state.captureId !== "";
        if (!isGone && !(error instanceof ZorError && lostCodes.has(error.code))) throw error;
        if (!state.isAway) yield { type: "away", why: messageOf(error) };
        state.isAway = true;
        if (isGone) Object.assign(state, { captureId: "", next: 0 });
        else await backoff.wait(AbortSignal.any([cut.signal, stop]));
        if (stop.aborted) break;
      }
    }
    yield { type: "ended", reason: "it was stopped" };
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", onStop);
    cut.abort();
    // Whoever reads no further leaves nothing behind that would go on for a while.
    const { captureId } = state;
    if (captureId !== "" && !stop.aborted) {
      const stopping = { name, captureId };
      await connection
        .unary(CaptureServiceService.stopCapture, stopping, { timeoutMs: stopTimeoutMs })
        .catch(() => undefined);
    }
  }
}

/** Where a capture is. */
interface ReadState {
  captureId: string;
  next: number;
  isAway: boolean;
}

async function* eventsOf(
  responses: ReturnType<typeof stream>,
  state: ReadState,
  backoff: Backoff,
): AsyncGenerator<CaptureEvent> {
  for await (const { message } of responses) {
    switch (message?.$case) {
      case "started": {
        const isSame = state.captureId === message.value.captureId;
        if (state.isAway) yield { type: "back", isWhole: isSame };
        state.captureId = message.value.captureId;
        state.isAway = false;
        backoff.reset();
        yield { type: "begun", isSame };
        break;
      }
      case "interface":
        yield { type: "interface", info: message.value };
        break;
      case "packets": {
        const { first, count, blocks, completeNanos } = message.value;
        const lost = count === 0 ? 0 : Math.max(0, Number(first) - state.next);
        yield { type: "packets", blocks, count, lost, completeNs: completeNanos };
        // Only what was taken is not asked for again.
        state.next = Number(first) + count;
        break;
      }
      case "figures":
        yield { type: "figures", figures: message.value };
        break;
      case "ended": {
        const { reason, figures } = message.value;
        if (figures !== undefined) yield { type: "figures", figures };
        yield { type: "ended", reason };
        return;
      }
      case undefined:
    }
  }
  throw new ZorError({ reason: "CUT_OFF", code: status.UNAVAILABLE, message: "the capture ended without its end" });
}

function stream(connection: Calls, request: CaptureRequest, signal: AbortSignal) {
  return connection.stream(CaptureServiceService.capture, request, { signal });
}
