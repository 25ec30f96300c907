import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { failedPrecondition, notFound, unavailable, type ZorError } from "../../../../lib/errors.js";
import { confinedCommand } from "../../../host/confined.js";
import { startOwned } from "../../../host/exec.js";
import { parseObject, textOf } from "../json.js";
import { type Frame, readFrames, sendFrame, toFrame } from "./frames.js";
import { guestfsProgram } from "./guestfs-program.js";

/** What a session is started with. */
export interface SessionOptions {
  /** Resource name for errors. */
  readonly resource: string;
  /** Directory of its own, which its user owns; sockets of the disks are in it. */
  readonly directory: string;
  readonly appliance: string;
  /** Path of what is started as QEMU. */
  readonly qemu: string;
  readonly user: number;
  /** Groups that let it use KVM; undefined: it emulates. */
  readonly kvmGroups: readonly number[] | undefined;
  readonly signal: AbortSignal;
}

const bounds = { maxFileBytes: 8 * 2 ** 30, memoryBytes: 8 * 2 ** 30, processorSeconds: 2 * 3600 };
const maxErrorBytes = 4096;
/** It has ended its machine within this time, or is killed. */
const endMs = 10_000;

/**
 * Where the session stands, as it sees it: its directory is its /tmp, and what it may read of the agent's is at /mnt. Everything
 * is said once and constant but the parameters: appliance, wrapper, directory.
 */
const enter = `set -e
mount -t tmpfs -o nodev,mode=0755,size=1m tmpfs /mnt
mkdir /mnt/appliance /mnt/tmp
: > /mnt/qemu
mount --bind -- "$1" /mnt/appliance
mount --bind -- "$2" /mnt/qemu
mount --bind -- "$3" /tmp
cd /tmp
shift 3
exec "$@"`;

/** A request to the program; see {@link guestfsProgram}. */
export type SessionRequest = Readonly<Record<string, unknown>> & { readonly op: string };

/** The program that looks into disks, as it is spoken to: one request at a time. It ends with this process. */
export class GuestfsSession implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #frames: AsyncGenerator<Frame>;
  readonly #options: SessionOptions;
  readonly #ended: Promise<void>;
  #said = "";
  #isBroken = false;
  #isWriting = false;

  private constructor(child: ChildProcess, options: SessionOptions) {
    this.#child = child;
    this.#options = options;
    this.#frames = readFrames(child.stdout as Readable);
    child.stdin?.on("error", () => undefined);
    child.stderr?.on("data", (data: Buffer) => {
      this.#said = `${this.#said}${data.toString("latin1")}`.slice(-maxErrorBytes);
    });
    this.#ended = new Promise((resolve) => {
      // Not "close": of what has nobody to read it more may have come.
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    // Of what is being written half a file would be left.
    const onAbort = (): void => void setTimeout(() => child.kill("SIGTERM"), this.#isWriting ? endMs : 0);
    options.signal.addEventListener("abort", onAbort, { once: true });
    void this.#ended.then(() => options.signal.removeEventListener("abort", onAbort));
  }

  static start(options: SessionOptions): GuestfsSession {
    const { user, kvmGroups, appliance, qemu, directory, signal } = options;
    signal.throwIfAborted();
    const settings = kvmGroups === undefined ? ["LIBGUESTFS_BACKEND_SETTINGS=force_tcg"] : [];
    const env = ["env", "-i", `PATH=${process.env["PATH"] ?? ""}`, "LC_ALL=C", "HOME=/tmp", "TMPDIR=/tmp", ...settings];
    const command = [...env, "perl", "-e", guestfsProgram] as const;
    const confined = confinedCommand(command as unknown as [string, ...string[]], {
      ...bounds,
      user,
      groups: kvmGroups ?? [],
    });
    const whole = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", enter, "sh"] as const;
    const child = startOwned([...whole, appliance, qemu, directory, ...confined], { stdio: ["pipe", "pipe", "pipe"] });
    return new GuestfsSession(child, options);
  }

  /** Asks for something and gives what comes of it, no faster than it is taken. @throws {ZorError} with its words. */
  async *ask(request: SessionRequest, content?: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
    const { signal, resource } = this.#options;
    const input = this.#child.stdin as Writable;
    if (this.#isBroken) throw this.#lost();
    this.#isBroken = true;
    this.#isWriting = content !== undefined;
    await sendFrame(input, "J", Buffer.from(JSON.stringify(request)), signal);
    const failure = { error: undefined as unknown };
    const sending = content === undefined ? undefined : this.#send(content, input, failure);
    try {
      for (;;) {
        const next = await this.#frames.next();
        if (!this.#isWriting) signal.throwIfAborted();
        if (next.done === true) throw failure.error ?? this.#lost();
        const { type, data } = next.value;
        if (type !== "." && type !== "E") {
          yield next.value;
          continue;
        }
        await sending;
        this.#isBroken = false;
        if (failure.error !== undefined) throw failure.error;
        if (type === ".") return;
        throw explained(textOf(parseObject(data), "message"), resource, request);
      }
    } finally {
      this.#isWriting = false;
      if (this.#isBroken) this.#child.kill("SIGTERM");
    }
  }

  /** Asks for something and waits until it is done. @throws {ZorError} */
  async do(request: SessionRequest, content?: AsyncIterable<Buffer>): Promise<void> {
    for await (const _ of this.ask(request, content));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _insisting = insistOnEnd(this.#child, endMs);
    if (this.#isBroken) this.#child.kill("SIGTERM");
    else await this.do({ op: "end" }).catch(() => void this.#child.kill("SIGTERM"));
    await this.#ended;
    this.#child.stdout?.destroy();
  }

  async #send(content: AsyncIterable<Buffer>, input: Writable, failure: { error: unknown }): Promise<void> {
    const { signal } = this.#options;
    try {
      for await (const data of content) if (data.length > 0) await sendFrame(input, "D", data, signal);
      input.write(toFrame(".", Buffer.alloc(0)));
    } catch (error) {
      // What has come is not whole: the program removes it.
      failure.error = error;
      input.write(toFrame("X", Buffer.alloc(0)));
    }
  }

  #lost(): ZorError {
    const { resource } = this.#options;
    const said = this.#said.trim().split("\n").at(-1) ?? "";
    const why = said === "" ? "" : `: ${said}`;
    return unavailable(
      "DISK_LOOK_FAILED",
      resource,
      `${resource}: what looks into its disks has ended${why}; try again`,
    );
  }
}

/** Ends a process that does not end by itself in time, and, as somebody may have stopped it, by force after as long again; until disposed of. */
export function insistOnEnd(child: ChildProcess, graceMs: number): Disposable {
  const timers = [
    setTimeout(() => void child.kill("SIGTERM"), graceMs),
    setTimeout(() => void child.kill("SIGKILL"), 2 * graceMs),
  ];
  return { [Symbol.dispose]: () => timers.forEach(clearTimeout) };
}

/** What libguestfs says, which may quote the guest, as an error. */
function explained(message: string, resource: string, request: SessionRequest): ZorError {
  const text = message.trim().split("\n")[0]?.slice(0, 500) ?? "";
  const path = typeof request["path"] === "string" ? request["path"] : "";
  const shown = `${resource}: ${JSON.stringify(Buffer.from(path, "latin1").toString("utf8"))}`;
  if (text === "ENOENT" || /No such file or directory$/.test(text))
    return notFound(shown, "list what is there with: zor disk ls");
  const about = (why: string) => failedPrecondition("DISK_LOOK_REFUSED", resource, `${shown} ${why}`);
  if (text === "ECHANGED") {
    return failedPrecondition("FILE_CHANGED", resource, `${shown} is not any more what it was; nothing was written`);
  }
  if (/^it is no plain file/.test(text)) return about("is no plain file");
  if (/Not a directory$/.test(text)) return about("is not a directory");
  if (/No space left on device$/.test(text)) return about("does not fit: the file system is full");
  if (/Read-only file system$/.test(text)) return about("is on a file system that can only be read");
  if (/Too many levels of symbolic links$/.test(text)) return about("leads nowhere: too many symbolic links");
  return failedPrecondition("DISK_LOOK_REFUSED", resource, `${resource}: ${text}`);
}
