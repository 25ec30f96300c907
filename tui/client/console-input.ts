import { PassThrough } from "node:stream";
import type { AttachConsoleRequest, ConsoleOpen } from "../../proto/gen/zor/v1/console_service.js";
import { enterRawMode, type Terminal, terminalSize } from "./raw-terminal.js";

/** The one key that is not sent to the instance: Ctrl-]. */
const detachByte = 0x1d;

/** What is typed at a console: one terminal, and calls that follow each other. */
export interface ConsoleInput extends Disposable {
  /** What a new call sends, the opening first. What is typed while none is open is lost. */
  begin(open: ConsoleOpen): AsyncIterable<AttachConsoleRequest>;
  /** Takes input from now on; until then nothing typed is read. @param writable false: only the detach key counts. */
  start(writable: boolean): void;
  /** All that could be typed has been sent: another call would miss nothing. */
  readonly isComplete: boolean;
}

/** Turns what is typed, and changes of size, into requests; reads no faster than they are taken. */
export function consoleInput(terminal: Terminal, onDetach: () => void): ConsoleInput {
  const { input, output } = terminal;
  const interactive = input.isTTY === true;
  let requests = new PassThrough({ objectMode: true });
  let ended = false;
  let started = false;
  let writable = false;
  const rawMode = new DisposableStack();
  const send = (message: NonNullable<AttachConsoleRequest["message"]>): void => {
    if (!requests.writable) return;
    const request: AttachConsoleRequest = { message };
    if (!requests.write(request)) input.pause();
  };
  const onData = (chunk: Buffer | string): void => {
    const bytes = Buffer.from(chunk);
    const at = interactive ? bytes.indexOf(detachByte) : -1;
    const typed = at < 0 ? bytes : bytes.subarray(0, at);
    if (typed.length > 0 && writable) send({ $case: "data", value: typed });
    if (at >= 0) onDetach();
  };
  const onDrain = (): void => {
    input.resume();
  };
  const onEnd = (): void => {
    ended = true;
    requests.end();
  };
  const onResize = (): void => {
    const size = terminalSize(output);
    if (size !== undefined) send({ $case: "resize", value: size });
  };
  return {
    get isComplete() {
      return interactive || ended || !writable;
    },
    begin: (open) => {
      requests.end();
      requests = new PassThrough({ objectMode: true, highWaterMark: 32 });
      requests.on("drain", onDrain);
      send({ $case: "open", value: open });
      if (ended) requests.end();
      // It may have been made to wait for a call that is over; before the start nothing would take what it gives.
      if (started) input.resume();
      return requests;
    },
    start: (mayType) => {
      writable = mayType;
      if (started) return;
      started = true;
      rawMode.use(enterRawMode(terminal));
      input.on("data", onData);
      input.on("end", onEnd);
      output.on("resize", onResize);
      input.resume();
    },
    [Symbol.dispose]: () => {
      input.off("data", onData);
      input.off("end", onEnd);
      output.off("resize", onResize);
      input.pause();
      requests.end();
      rawMode.dispose();
    },
  };
}
