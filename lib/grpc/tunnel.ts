import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { ConnectOpen, type ConnectRequest, ForwardServiceService } from "../../proto/gen/zor/v1/forward_service.js";
import type { Calls } from "./connection.js";

/** Two ends of a connection here. */
export interface TunnelEnds {
  readonly input: Readable;
  readonly output: Writable;
  /** Told when the server is reached; see ConnectOpened. */
  readonly onOpened?: () => void;
  /** Told before the ends are closed when not everything could be carried. */
  readonly onFailed?: () => void;
}

/**
 * Carries bytes between a server inside an instance and here, until both sides have ended. Either may end alone; neither is read faster
 * than the other takes it. Ends as well when the output here is closed. @throws {ZorError} when it cannot connect, or the connection is lost.
 */
export async function tunnel(
  connection: Pick<Calls, "bidi">,
  open: Partial<ConnectOpen> & Pick<ConnectOpen, "name">,
  { input, output, onOpened, onFailed }: TunnelEnds,
  signal: AbortSignal,
): Promise<void> {
  const abort = new AbortController();
  const broken = (error: unknown): void => abort.abort(error);
  let isClosed = false;
  const onClosed = (error: unknown): void => {
    isClosed = true;
    broken(error);
  };
  output.on("error", onClosed);
  async function* requests(): AsyncIterable<ConnectRequest> {
    yield { message: { $case: "open", value: ConnectOpen.fromPartial(open) } };
    try {
      for await (const data of input.iterator({ destroyOnReturn: false })) {
        yield { message: { $case: "data", value: Buffer.from(data) } };
      }
    } catch (error) {
      broken(error);
      return;
    }
    yield { message: { $case: "end", value: {} } };
  }
  const either = AbortSignal.any([signal, abort.signal]);
  try {
    for await (const { message } of connection.bidi(ForwardServiceService.connect, requests(), { signal: either })) {
      if (message?.$case === "opened") onOpened?.();
      if (message?.$case === "end") output.end();
      if (message?.$case !== "data" || output.write(message.value)) continue;
      await once(output, "drain", { signal: either });
    }
    if (output.writableEnded && !output.writableFinished) await once(output, "finish", { signal: either });
  } catch (error) {
    // Whoever takes no more is done.
    if (isClosed) return;
    onFailed?.();
    throw error;
  } finally {
    output.off("error", onClosed);
    output.on("error", () => undefined);
    input.destroy();
  }
}
