import { appendFile, readFile, rm, writeFile } from "node:fs/promises";

/** Output that is kept for replay. */
const keptBytes = 64 * 1024;
/** The file is cut back to what is kept when it grows beyond this. */
const maxFileBytes = 4 * keptBytes;

/** The most recent output of a console, in memory and in a file, so that it outlives the agent. Both are bounded. */
export class ConsoleLog {
  readonly #path: string;
  /** Twice what is kept, so that moving it to the front is rare: a serial line delivers a few bytes at a time. */
  readonly #buffer = Buffer.alloc(2 * keptBytes);
  #length = 0;
  #unwritten: Buffer[] = [];
  #fileBytes = 0;
  #writing: Promise<void> | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Begins with what the file holds; none is an empty one. */
  static async open(path: string): Promise<ConsoleLog> {
    const log = new ConsoleLog(path);
    const content = await readFile(path).catch(() => Buffer.alloc(0));
    log.#keep(content);
    log.#fileBytes = content.length;
    return log;
  }

  /** Adds output. The file follows on its own; when it cannot be written only the replay after an agent's restart suffers. */
  append(chunk: Buffer): void {
    this.#keep(chunk);
    this.#unwritten.push(chunk);
    this.#writing ??= this.#write();
  }

  /** A copy of the last bytes of output, at most so many. */
  recent(bytes: number): Buffer {
    const wanted = Math.min(Math.max(0, bytes), keptBytes, this.#length);
    return Buffer.from(this.#buffer.subarray(this.#length - wanted, this.#length));
  }

  /** Resolves when all output so far has been given to the file. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  /** Forgets everything: a new run begins. */
  async clear(): Promise<void> {
    await this.flush();
    this.#length = 0;
    this.#fileBytes = 0;
    await rm(this.#path, { force: true });
  }

  #keep(chunk: Buffer): void {
    const tail = chunk.subarray(Math.max(0, chunk.length - keptBytes));
    if (this.#length + tail.length > this.#buffer.length) {
      const stay = keptBytes - tail.length;
      this.#buffer.copyWithin(0, this.#length - stay, this.#length);
      this.#length = stay;
    }
    tail.copy(this.#buffer, this.#length);
    this.#length += tail.length;
  }

  async #write(): Promise<void> {
    while (this.#unwritten.length > 0) {
      const data = Buffer.concat(this.#unwritten);
      this.#unwritten = [];
      try {
        if (this.#fileBytes + data.length > maxFileBytes) {
          const kept = this.recent(keptBytes);
          await writeFile(this.#path, kept, { mode: 0o600 });
          this.#fileBytes = kept.length;
        } else {
          await appendFile(this.#path, data, { mode: 0o600 });
          this.#fileBytes += data.length;
        }
      } catch {
        // A full disk must not end a console.
      }
    }
    this.#writing = undefined;
  }
}
