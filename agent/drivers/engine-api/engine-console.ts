import type { Duplex } from "node:stream";
import { findIdentity } from "../../../lib/process.js";
import { resizeHeldTerminal } from "../containers/held-terminal.js";
import type { CallOptions, ConsoleStream } from "../driver.js";
import type { EngineClient } from "./engine-client.js";

/** More of the past is not read: engines give lines, not bytes. */
const maxLines = 2000;
/** Keys that no person types: engines let go of a terminal on a sequence, and by default on one that shells use. */
export const detachKeys = "ctrl-^,ctrl-],ctrl-_,ctrl-^,ctrl-],ctrl-_";

/** A size that a terminal is to have. */
interface TerminalChange extends CallOptions {
  readonly pid: number;
  readonly columns: number;
  readonly rows: number;
}

/** Opens the terminal of a container: its past from the engine's log, all else from the terminal itself. */
export async function openEngineConsole(
  client: EngineClient,
  { Id: container, State: { Pid: pid } }: { readonly Id: string; readonly State: { readonly Pid: number } },
  { signal, replayBytes }: CallOptions & { readonly replayBytes: number },
): Promise<ConsoleStream> {
  const query = { stream: "1", stdin: "1", stdout: "1", stderr: "1", detachKeys };
  const socket = await client.hijack({ method: "POST", path: `/containers/${container}/attach`, query, signal });
  const close = (): void => void socket.destroy();
  // Whoever reads is told by the end.
  socket.on("error", close);
  signal.addEventListener("abort", close, { once: true });
  try {
    // Attached before the past is read: what comes in between is in both, and taken out of one.
    const past = replayBytes === 0 ? Buffer.alloc(0) : await readPast(client, container, { signal, replayBytes });
    return {
      replay: past,
      output: readOutput(socket, past),
      write: (data) => writeAll(socket, data),
      resize: async (columns, rows) => {
        await resizeTerminal(client, `/containers/${container}`, { pid, columns, rows, signal });
      },
      close: async () => {
        signal.removeEventListener("abort", close);
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Makes the terminal of a container or command this large. One that has ended has none.
 * @param size.pid of its first process, 0: it has none, or it is not known.
 */
export async function resizeTerminal(
  client: EngineClient,
  path: string,
  { pid, columns, rows, signal }: TerminalChange,
): Promise<void> {
  const first = pid > 0 ? await findIdentity(pid) : undefined;
  if (first !== undefined && (await resizeHeldTerminal(first, { columns, rows }))) return;
  const query = { w: String(columns), h: String(rows) };
  await client.call({ method: "POST", path: `${path}/resize`, query, signal }).catch(() => undefined);
}

/** Writes to a connection at the pace of its other end. */
export async function writeAll(socket: Duplex, data: Uint8Array): Promise<void> {
  if (socket.destroyed || socket.write(data)) return;
  await new Promise<void>((resolve) => {
    socket.once("drain", resolve);
    socket.once("close", resolve);
  });
}

async function readPast(
  client: EngineClient,
  container: string,
  { signal, replayBytes }: { readonly signal: AbortSignal; readonly replayBytes: number },
): Promise<Buffer> {
  const query = { stdout: "1", stderr: "1", tail: String(maxLines) };
  const log = await client.stream({ method: "GET", path: `/containers/${container}/logs`, query, signal });
  let past = Buffer.alloc(0);
  for await (const chunk of log) {
    const all = Buffer.concat([past, chunk]);
    past = Buffer.from(all.subarray(Math.max(0, all.length - replayBytes)));
  }
  return past;
}

/** Output from when the past was read on. */
async function* readOutput(socket: Duplex, past: Buffer): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  try {
    for await (const chunk of socket) {
      const data = Buffer.from(chunk);
      const rest = isFirst ? data.subarray(overlap(past, data)) : data;
      isFirst = false;
      if (rest.length > 0) yield rest;
    }
  } catch {
    // A connection that breaks is the console's end as well.
  } finally {
    socket.destroy();
  }
}

/** How many bytes at the beginning of `next` are the end of `past` already; pure. Those of one line alone may be chance. */
export function overlap(past: Buffer, next: Buffer): number {
  for (let length = Math.min(past.length, next.length); length > 0; length -= 1) {
    if (next[length - 1] !== 0x0a) continue;
    if (past.subarray(past.length - length).equals(next.subarray(0, length))) return length;
  }
  return 0;
}
