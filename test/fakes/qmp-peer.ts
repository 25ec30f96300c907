import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectUnix } from "../../agent/host/unix-socket.js";

/** The far end of one connection over a real unix socket, played by the test. */
export interface ScriptedPeer extends AsyncDisposable {
  /** The near end, as the code under test takes it over. */
  readonly socket: Socket;
  /** Everything received so far. */
  received(): Buffer;
  /** Resolves to the next whole line that came in, parsed as JSON after any 0xFF bytes. */
  nextCommand(): Promise<Record<string, unknown>>;
  send(data: string | Uint8Array): void;
  /** Sends one JSON message and a line end. */
  sendJson(message: unknown): void;
  /** Takes nothing more of what comes in. */
  stopReading(): void;
  hangUp(): void;
}

/** Opens a connection to a scripted peer. */
export async function connectPeer(): Promise<ScriptedPeer> {
  const directory = await mkdtemp(join(tmpdir(), "zt-"));
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => accepted.resolve(socket));
  await new Promise<void>((resolve) => server.listen(join(directory, "s"), resolve));
  const socket = await connectUnix(directory, "s", { signal: AbortSignal.timeout(5000) });
  const far = await accepted.promise;
  const chunks: Buffer[] = [];
  let consumed = 0;
  far.on("data", (chunk: Buffer) => chunks.push(chunk));
  far.on("error", () => undefined);
  const received = () => Buffer.concat(chunks);
  return {
    socket,
    received,
    nextCommand: async () => {
      for (;;) {
        const end = received().indexOf("\n", consumed);
        if (end !== -1) {
          const line = received().subarray(consumed, end);
          consumed = end + 1;
          // A protocol under test sends objects; anything else fails the assertion that follows.
          return JSON.parse(line.subarray(line.lastIndexOf(0xff) + 1).toString()) as Record<string, unknown>;
        }
        await new Promise((resolve) => far.once("data", resolve));
      }
    },
    send: (data) => void far.write(data),
    sendJson: (message) => void far.write(`${JSON.stringify(message)}\r\n`),
    stopReading: () => void far.pause(),
    hangUp: () => far.destroy(),
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      far.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
