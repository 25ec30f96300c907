import type { Readable } from "node:stream";

/** Longest value of a stream. */
const maxBytes = 1024 * 1024;

/** The JSON values of a stream, one a line. @throws {Error} for what is none, or too long. */
export async function* readJsonLines(stream: Readable): AsyncGenerator<unknown> {
  let rest = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxBytes) throw new Error(`an engine told a value longer than ${maxBytes} bytes`);
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line);
  }
  if (rest.trim() !== "") yield JSON.parse(rest);
}
