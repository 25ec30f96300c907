import { status } from "@grpc/grpc-js";
import { ZorError } from "../errors.js";

/** What the library that carries calls says of its own accord, and how it is told: of whom, and what to do. */
const sayings: readonly (readonly [said: RegExp, told: (address: string, match: RegExpExecArray) => string])[] = [
  [
    /^The server does not implement the method (?:\S*\/)?(\w+)$/,
    (address, [, method = "this"]) =>
      `${address} does not offer ${method}: it is of another version, or an agent, which serves its own host only; see: zor version`,
  ],
  [
    /^(?:Received message|Sent message|Attempted to send message).* (?:larger than|size larger)/,
    (address) =>
      `what was asked of ${address}, or its answer, is too large for one message; ask for less, with a filter`,
  ],
  [
    /^Bandwidth exhausted or memory limit exceeded/,
    (address) => `${address} takes no more calls at the moment; try again later`,
  ],
  [
    /^(?:Received RST_STREAM with code|Stream removed|Stream closed before sending status|No status information received|Write error|Write failed|Failed to start HTTP\/2 stream)/,
    (address) => `${address} ended the call without an answer; look before it is tried again: it may have been done`,
  ],
  [
    /^(?:Response message parsing error|Failed to decompress|Failed to parse|Too many responses received|No message received|Received HTTP status|Received message compressed)/,
    (address) => `${address} answered what cannot be read: it is of another version, or not Zorhub; see: zor version`,
  ],
  [
    /^(?:Error deserializing request|Request message serialization failure|Received (?:a second|no) request message)/,
    (address) => `${address} could not read what it was asked: it is of another version; see: zor version`,
  ],
  [
    /^(?:Error serializing response|Server method handler threw error|Unknown error$|Unknown handler type)/,
    (address) => `a fault at ${address}; its log says more: zor logs`,
  ],
  [
    /^(?:Cancelled on client|Cancelled by parent call|Call cancelled|Channel closed before call started)/,
    () => "the call was cancelled",
  ],
];

/** An error in the words of the project where its message is one of the library that carries calls; any other as it is. */
export function inProjectWords(error: ZorError, address: string): ZorError {
  const { reason, code, resource, metadata } = error;
  // Errors of the project's own have reasons of their own.
  if (reason !== status[code]) return error;
  for (const [said, told] of sayings) {
    const match = said.exec(error.message);
    if (match === null) continue;
    const own = { reason, code, metadata, message: told(address, match), cause: error };
    return new ZorError({ ...own, ...(resource === undefined ? {} : { resource }) });
  }
  return error;
}
