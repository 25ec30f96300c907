import type { Socket } from "node:net";
import { LineSplitter } from "../../lib/line-splitter.js";

const maxLineBytes = 1024 * 1024;

/**
 * Hears the lines that come over a socket until it closes, whichever way. An interface of node:readline would pass an error of the socket on
 * as one of its own, which ends the process when nobody listens.
 */
export function onLines(socket: Socket, onLine: (line: string) => void): void {
  const splitter = new LineSplitter(maxLineBytes);
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    for (const line of splitter.push(chunk)) onLine(line.toString());
  });
}
