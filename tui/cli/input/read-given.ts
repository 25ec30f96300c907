import { readFile } from "node:fs/promises";
import { text as readStream } from "node:stream/consumers";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { explained } from "../../../lib/tree/dir.js";

/**
 * The text of a file that the command line names. @param input what "-" stands for; default: it is a file like any other.
 * @throws {ZorError} INVALID_ARGUMENT that names the option and says why it cannot be read.
 */
export async function readGiven(option: string, file: string, input?: NodeJS.ReadableStream): Promise<string> {
  const isInput = file === "-" && input !== undefined;
  return (isInput ? readStream(input) : readFile(file, "utf8")).catch((error: unknown) => {
    throw invalidArgument(option, messageOf(explained(error, isInput ? "standard input" : file)));
  });
}
