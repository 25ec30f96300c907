/**
 * Splits a byte stream into lines. The returned function takes chunks; it returns false when a line is longer than `maxBytes`,
 * after which nothing more must be given to it.
 */
export function splitLines(maxBytes: number, onLine: (line: string) => void): (chunk: Uint8Array) => boolean {
  let parts: Uint8Array[] = [];
  let waiting = 0;
  return (chunk) => {
    let from = 0;
    for (let newline = chunk.indexOf(10); newline >= 0; newline = chunk.indexOf(10, from)) {
      onLine(Buffer.concat([...parts, chunk.subarray(from, newline)]).toString("utf8"));
      parts = [];
      waiting = 0;
      from = newline + 1;
    }
    parts.push(chunk.slice(from));
    waiting += chunk.length - from;
    return waiting <= maxBytes;
  };
}
