import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { ZorError } from "../../../lib/errors.js";
import { inProjectWords } from "../../../lib/grpc/library-words.js";

const address = "10.0.0.7:7450";

function raw(code: status, message: string): ZorError {
  return new ZorError({ reason: status[code], code, message, resource: address });
}

it.each([
  [
    status.UNIMPLEMENTED,
    "The server does not implement the method /zor.v1.FiguresService/WatchFigures",
    /^10\.0\.0\.7:7450 does not offer WatchFigures: it is of another version, or an agent.*zor version$/,
  ],
  [status.RESOURCE_EXHAUSTED, "Received message larger than max (9000000 vs 8388608)", /too large for one message/],
  [status.RESOURCE_EXHAUSTED, "Sent message larger than max (9000000 vs. 8388608)", /too large for one message/],
  [status.RESOURCE_EXHAUSTED, "Attempted to send message with a size larger than 8388608", /too large for one message/],
  [status.RESOURCE_EXHAUSTED, "Bandwidth exhausted or memory limit exceeded", /no more calls at the moment/],
  [status.INTERNAL, "Received RST_STREAM with code 2 (Internal server error)", /ended the call without an answer/],
  [status.UNKNOWN, "No status information received", /ended the call without an answer/],
  [status.INTERNAL, "Response message parsing error: index out of range: 9 + 10 > 12", /answered what cannot be read/],
  [status.INTERNAL, "No message received", /answered what cannot be read/],
  [status.INTERNAL, "Error deserializing request: index out of range", /could not read what it was asked/],
  [status.UNKNOWN, "Server method handler threw error x is not a function", /^a fault at 10\.0\.0\.7:7450; its log/],
  [status.CANCELLED, "Cancelled on client", /^the call was cancelled$/],
])("%s of the library is told in the project's words: %s", (code, message, told) => {
  const cause = raw(code, message);
  const error = inProjectWords(cause, address);
  expect(error).toMatchObject({ code, reason: status[code], resource: address, message: expect.stringMatching(told) });
  expect(error.cause).toBe(cause);
});

it("leaves what a server says itself", () => {
  const own = new ZorError({ reason: "TOO_LARGE", code: status.INTERNAL, message: "No message received from vm1" });
  expect(inProjectWords(own, address)).toBe(own);
  const other = raw(status.NOT_FOUND, "there is no such host");
  expect(inProjectWords(other, address)).toBe(other);
});
