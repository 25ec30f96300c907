import { closeSync, constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { unavailable } from "../../../lib/errors.js";
import type { LogPosition } from "../../../lib/logs/open-log.js";
import { isAlive, type ProcessIdentity } from "../../../lib/process.js";
import { toldOf } from "../../host/told.js";
import { resizeHeldTerminal } from "../containers/held-terminal.js";
import type { ConsoleStream } from "../driver.js";
import { ConsoleReader } from "./console-log.js";
import type { Keeper } from "./keeper.js";
import { connectPacketSocket, sendPacket } from "./native.js";

/** conmon reads at most 32 KiB of a packet. */
const packetBytes = 8192;
/** Retry while the container does not read its terminal. */
const busyMs = 10;

/** Opens the terminal of a container: output from the keeper's log, input through its socket. */
export async function openContainerConsole(options: {
  readonly resource: string;
  readonly directory: string;
  readonly keeper: Keeper;
  readonly replayBytes: number;
  readonly resume?: LogPosition | undefined;
  /** The container's first process. */
  readonly first: ProcessIdentity;
  readonly signal: AbortSignal;
}): Promise<ConsoleStream> {
  const { resource, directory, keeper, replayBytes, resume } = options;
  let socket: number;
  try {
    socket = connectPacketSocket(directory, "attach");
  } catch (error) {
    throw unavailable(
      "CONSOLE_UNAVAILABLE",
      resource,
      `the terminal of ${resource} cannot be reached (${toldOf(error)})`,
      error,
    );
  }
  const closing = new AbortController();
  const signal = AbortSignal.any([options.signal, closing.signal]);
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    closing.abort();
    closeSync(socket);
  };
  options.signal.addEventListener("abort", close, { once: true });
  const hasEnded = async () => (await keeper.findExitCode()) !== undefined || !(await isAlive(options.first));
  const output = await ConsoleReader.open({ path: keeper.logPath, replayBytes, resume, hasEnded, signal });
  return {
    replay: output.replay,
    isMissing: resume !== undefined && !output.resumed,
    output,
    position: () => output.position,
    write: async (data) => {
      for (let begin = 0; begin < data.length; begin += packetBytes) {
        const packet = data.subarray(begin, begin + packetBytes);
        while (!closed && !sendPacket(socket, packet)) await delay(busyMs);
      }
    },
    resize: async (columns, rows) => {
      if (await resizeHeldTerminal(options.first, { columns, rows })) return;
      await writeControl(directory, `1 ${rows} ${columns}\n`);
    },
    close: async () => {
      close();
      // Until the reader has closed its file.
      await output.next();
    },
  };
}

/** Writes to conmon's control pipe; nobody reading means that the container has just ended. */
async function writeControl(directory: string, text: string): Promise<void> {
  const file = await open(join(directory, "ctl"), constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (file === undefined) return;
  try {
    await file.write(text);
  } finally {
    await file.close();
  }
}
