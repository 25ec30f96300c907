import { status } from "@grpc/grpc-js";
import { unavailable, ZorError } from "../../../lib/errors.js";
import type { Calls } from "../../../lib/grpc/connection.js";
import { type ExecRequest, ExecServiceService, ExecStart } from "../../../proto/gen/zor/v1/exec_service.js";

/** Of what a command says of its failure. */
const keptWords = 500;

/** A shell script that runs in an instance. */
export interface GuestScript {
  /** Resource name of the instance. */
  readonly name: string;
  readonly script: string;
  readonly words: readonly string[];
  readonly input?: AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
}

/** Runs a script inside and gives what it prints, as it comes. @throws {ZorError} FAILED_PRECONDITION with its words when it fails. */
export async function* runInGuest(
  connection: Pick<Calls, "bidi">,
  { name, script, words, input, signal }: GuestScript,
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
  let said = "";
  const either = AbortSignal.any([signal, failure.signal]);
  try {
    for await (const { message } of connection.bidi(ExecServiceService.exec, requests(), { signal: either })) {
      if (message?.$case === "stdout") yield message.value;
      if (message?.$case === "stderr") said = (said + message.value.toString()).slice(-keptWords);
      if (message?.$case !== "exit") continue;
      if (message.value.code === 0 && !message.value.truncated) return;
      const why = said.trim().replace(/\s+/g, " ") || `what was run inside ended with ${message.value.code}`;
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
