/** What a command wrote. */
export interface StreamFrame {
  readonly type: "stdout" | "stderr";
  readonly data: Buffer;
}

const headerBytes = 8;

/**
 * Takes apart the stream of a container or command without a terminal (Engine API, "Stream format"): each frame begins with the
 * number of its stream, three zeros and its length in 4 bytes. Frames are given on as they come, whatever their length says.
 */
export class FrameDecoder {
  #header = Buffer.alloc(0);
  #left = 0;
  #type: StreamFrame["type"] = "stdout";

  /** @returns what this chunk brings. */
  push(chunk: Uint8Array): StreamFrame[] {
    const frames: StreamFrame[] = [];
    let data = Buffer.from(chunk);
    while (data.length > 0) {
      if (this.#left === 0) {
        const needed = headerBytes - this.#header.length;
        this.#header = Buffer.concat([this.#header, data.subarray(0, needed)]);
        data = data.subarray(needed);
        if (this.#header.length < headerBytes) break;
        // 0 is standard input, which engines echo on standard output.
        this.#type = this.#header[0] === 2 ? "stderr" : "stdout";
        this.#left = this.#header.readUInt32BE(4);
        this.#header = Buffer.alloc(0);
        continue;
      }
      const part = data.subarray(0, this.#left);
      frames.push({ type: this.#type, data: part });
      this.#left -= part.length;
      data = data.subarray(part.length);
    }
    return frames;
  }
}
