import { status } from "@grpc/grpc-js";
import { unavailable, ZorError } from "../../../lib/errors.js";
import type { Calls } from "../../../lib/grpc/connection.js";
import { type ExecRequest, ExecServiceService, ExecStart } from "../../../proto/gen/zor/v1/exec_service.js";

/** Of what a command says of its failure, as a part of an error. */
const keptWords = 500;
/** Of what a command says at all: an instance may say what it wants for ever. */
const maxSaid = 64 * 1024;

/** A shell script that runs in an instance. */
export interface GuestScript {
  /** Resource name of the instance. */
  readonly name: string;
  readonly script: string;
  readonly words: readonly string[];
  readonly input?: AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
  /** Told each line of standard error that no error tells: of what succeeded, or when it is too much for one. */
  readonly onSaid?: (line: string) => void;
}

/** Runs a script inside and gives what it prints, as it comes. @throws {ZorError} FAILED_PRECONDITION with its words when it fails. */
export async function* runInGuest(
  connection: Pick<Calls, "bidi">,
  { name, script, words, input, signal, onSaid }: GuestScript,
): AsyncGenerator<Buffer> {
  const command = ["/bin/sh", "-c", script, "zor", ...words];
  const value = ExecStart.fromPartial({ name, command, stdin: input !== undefined, purpose: "zor cp" });
  const failure = new AbortController();
  async function* requests(): AsyncIterable<ExecRequest> {
    yield { message: { $case: "start", value } };
    if (input === undefined) return;
    try {
      for await (const data of input) yield { message: { $case: "stdin", value: data } };
    } catch (error) {
      failure.abort(error);
      return;
    }
    yield { message: { $case: "stdinEnd", value: {} } };
  }
  const said = new Said();
  const either = AbortSignal.any([signal, failure.signal]);
  try {
    for await (const { message } of connection.bidi(ExecServiceService.exec, requests(), { signal: either })) {
      if (message?.$case === "stdout") yield message.value;
      if (message?.$case === "stderr") said.add(message.value);
      if (message?.$case !== "exit") continue;
      const { code, truncated } = message.value;
      const isWhole = code === 0 && !truncated;
      if (isWhole || said.isLong) for (const line of said.lines()) onSaid?.(line);
      if (isWhole) return;
      const why = said.end() || (truncated ? "not all of what it gave came" : `what was run inside ended with ${code}`);
      throw new ZorError({
        reason: "COPY_FAILED",
        code: status.FAILED_PRECONDITION,
        message: `${name}: ${why}`,
        resource: name,
      });
    }
  } catch (error) {
    // What was wrong with the input is the cause; that the call was given up is not.
    throw failure.signal.aborted ? failure.signal.reason : error;
  }
  throw unavailable("EXEC_LOST", name, `${name}: the connection ended before everything was copied`);
}

/** What a command says on standard error: its beginning, where what is missing is named, and its end. */
class Said {
  #bytes: Buffer[] = [];
  #length = 0;
  #end = Buffer.alloc(0);

  add(data: Buffer): void {
    if (this.#length < maxSaid) this.#bytes.push(data.subarray(0, maxSaid - this.#length));
    this.#length += data.length;
    this.#end = Buffer.concat([this.#end, data]).subarray(-keptWords);
  }

  /** More than an error tells. */
  get isLong(): boolean {
    return this.#length > keptWords;
  }

  lines(): readonly string[] {
    const lines = Buffer.concat(this.#bytes)
      .toString("utf8")
      .split("\n")
      .filter((line) => line.trim() !== "");
    return this.#length > maxSaid ? [...lines, `and ${this.#length - maxSaid} more bytes of such words`] : lines;
  }

  end(): string {
    return this.#end.toString("utf8").trim().replace(/\s+/g, " ");
  }
}
