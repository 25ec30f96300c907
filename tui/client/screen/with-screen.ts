import { PassThrough } from "node:stream";
import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { tunnel } from "../../../lib/grpc/tunnel.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { RfbClient } from "./rfb-client.js";

/**
 * Connects the screen of "hosts/{host}/instances/{instance}" while `use` looks at it. @throws {ZorError} when it cannot be connected, or is
 * lost before the signal aborts.
 */
export async function withScreen(
  connection: Connection,
  name: string,
  { signal, use }: { readonly signal: AbortSignal; readonly use: (client: RfbClient) => Promise<void> },
): Promise<void> {
  const leaving = new AbortController();
  const either = AbortSignal.any([signal, leaving.signal]);
  const [toServer, fromServer] = [new PassThrough(), new PassThrough()];
  const carried = tunnel(connection, { name, screen: true }, { input: toServer, output: fromServer }, either);
  carried.catch((error: unknown) => fromServer.destroy(error instanceof Error ? error : new Error(messageOf(error))));
  try {
    await use(await RfbClient.open({ input: fromServer, send: (data) => void toServer.write(data) }));
  } catch (error) {
    if (signal.aborted) return;
    await carried;
    throw failedPrecondition("SCREEN_LOST", name, `${shortName(name)}: ${escapeText(messageOf(error))}`);
  } finally {
    leaving.abort();
    await carried.catch(() => undefined);
  }
}
