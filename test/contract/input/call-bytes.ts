import type { DescMethod } from "@bufbuild/protobuf";
import { type MethodDefinition, status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";

/** A call that takes longer hangs. */
const timeoutMs = 10_000;
/** A stream that has refused nothing so long has taken what it was sent. */
const streamMs = 300;

/** Resolves to the error that a call of these messages ends with. Of what is answered without end, the beginning is enough. */
export async function callBytes(
  connection: Connection,
  method: DescMethod,
  messages: readonly Buffer[],
): Promise<{ readonly error: ZorError | undefined }> {
  const bytes = (value: Buffer): Buffer => value;
  const { methodKind } = method;
  const definition: MethodDefinition<Buffer, Buffer> = {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: methodKind === "bidi_streaming",
    responseStream: methodKind !== "unary",
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const [first = Buffer.alloc(0)] = messages;
  try {
    if (methodKind === "unary") await connection.unary(definition, first, { timeoutMs });
    else {
      const options = { signal: AbortSignal.timeout(streamMs) };
      const isBidi = methodKind === "bidi_streaming";
      await drain(
        isBidi ? connection.bidi(definition, each(messages), options) : connection.stream(definition, first, options),
        messages.length,
      );
    }
    return { error: undefined };
  } catch (error) {
    if (!(error instanceof ZorError)) throw error;
    return { error: methodKind !== "unary" && error.code === status.CANCELLED ? undefined : error };
  }
}

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

async function drain(answers: AsyncIterable<unknown>, most: number): Promise<void> {
  let count = 0;
  for await (const _ of answers) {
    count += 1;
    if (count >= most) return;
  }
}
