import type { ChildProcess } from "node:child_process";
import { pause } from "../../../lib/backoff.js";
import { failedPrecondition, unavailable } from "../../../lib/errors.js";
import { startOwned } from "../../host/exec.js";
import type { ConsoleStream } from "../driver.js";
import { ConsoleReader } from "./console-reader.js";
import { keepAlive } from "./virsh.js";

/** What is kept for who opens it later, as long as anybody has it open. */
const maxPastBytes = 64 * 1024;
/** A console that cannot be opened says so within this time. */
const refusalMs = 700;
const maxComplaint = 2048;
/** Key that virsh lets go of a console on, Ctrl-_; it goes to nobody. */
const [escapeName, escapeByte] = ["^_", 0x1f];
/** virsh on a terminal asks for a helper of polkit, which says so when it has nothing to do; it says it within these first bytes. */
const noiseBytes = 4096;
const noise = /Authorization not available\. Check if polkit service is running[^\r\n]*\r?\n/;
const withoutNoise = (output: Buffer): Buffer => Buffer.from(output.toString("latin1").replace(noise, ""), "latin1");
/** A shell reads the words of a command: URIs may hold what it knows. */
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * The console of a domain: libvirt gives it to one at a time, so that all who look here share one virsh, which ends with the last of them.
 * virsh wants a terminal: script(1) gives it one.
 */
export class DomainConsole {
  readonly #resource: string;
  readonly #readers = new Set<ConsoleReader>();
  readonly #child: ChildProcess;
  readonly #onEnd: () => void;
  #past = Buffer.alloc(0);
  #hasEnded = false;

  /** @param options.onEnd told when it is of no use any more. */
  constructor(options: {
    readonly uri: string;
    readonly uuid: string;
    readonly resource: string;
    readonly onEnd: () => void;
  }) {
    const { uri, uuid, resource, onEnd } = options;
    this.#resource = resource;
    this.#onEnd = onEnd;
    const words = ["virsh", ...keepAlive, "-q", "-e", escapeName, "-c", uri, "console", uuid, "--safe"];
    const command = words.map(quoted).join(" ");
    const argv = ["script", "--quiet", "--return", "--flush", "--echo", "never", "--command", command] as const;
    this.#child = startOwned([...argv, "/dev/null"], { stdio: ["pipe", "pipe", "ignore"] });
    this.#child.stdin?.on("error", () => undefined);
    this.#child.stdout?.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#child.once("error", () => this.#end());
    this.#child.once("close", () => this.#end());
  }

  /** Resolves when it is open, as far as can be told. @throws {ZorError} with what libvirt says. */
  async opened(signal: AbortSignal): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    if (!this.#hasEnded) await Promise.race([ended, pause(refusalMs, signal)]);
    signal.throwIfAborted();
    if (!this.#hasEnded) return;
    const said = this.#past.toString("utf8").slice(-maxComplaint);
    const why =
      /error: ([^\r\n]{1,300})/.exec(said.replaceAll(/[\r\n]+(?:error: )+/g, "\nerror: "))?.[1] ?? "it ended at once";
    const isTaken = /active console session/i.test(said);
    const remedy = isTaken
      ? "somebody else has it open in libvirt, which gives it to one at a time; close it there"
      : "look at the domain's <console> with: virsh dumpxml";
    throw failedPrecondition(
      "CONSOLE_UNAVAILABLE",
      this.#resource,
      `the console of ${this.#resource}: ${why}; ${remedy}`,
    );
  }

  /** A new reader and writer. */
  open(replayBytes: number): ConsoleStream {
    const reader = new ConsoleReader(this.#resource);
    if (this.#hasEnded) reader.end();
    else this.#readers.add(reader);
    return {
      replay: replayBytes === 0 ? Buffer.alloc(0) : this.#past.subarray(-replayBytes),
      output: reader,
      write: (data) => this.#write(data),
      // The domain's terminal is a serial line, which has no size to tell.
      resize: async () => undefined,
      close: async () => {
        this.#readers.delete(reader);
        reader.end();
        if (this.#readers.size === 0) this.close();
      },
    };
  }

  /** Ends it with all readers. Idempotent. */
  close(): void {
    this.#child.kill("SIGTERM");
    this.#end();
  }

  #take(output: Buffer): void {
    const chunk = this.#past.length < noiseBytes ? withoutNoise(output) : output;
    if (chunk.length === 0) return;
    this.#past = Buffer.concat([this.#past, chunk]).subarray(-maxPastBytes);
    for (const reader of this.#readers) reader.push(chunk);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
    this.#onEnd();
  }

  async #write(data: Uint8Array): Promise<void> {
    const input = this.#child.stdin;
    if (input === null || this.#hasEnded)
      throw unavailable("CONSOLE_DISCONNECTED", this.#resource, `${this.#resource}: its console is not connected`);
    const typed = Buffer.from(data).filter((byte) => byte !== escapeByte);
    if (input.write(typed)) return;
    await new Promise<void>((resolve) => {
      input.once("drain", resolve);
      input.once("close", resolve);
    });
  }
}
