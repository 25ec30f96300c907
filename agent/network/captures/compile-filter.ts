import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { foreignWords } from "../../../lib/foreign-words.js";
import { confinedCommand } from "../../host/confined.js";
import { run, ToolError } from "../../host/exec.js";
import { type Instruction, parseInstructions, seeingTags, takeAll } from "./bpf.js";

const maxCharacters = 2048;
/** A user of its own, outside what distributions and instances have (agent/drivers/qemu/privileges.ts). */
const filterUser = 1_899_999_998;
const bounds = { user: filterUser, maxFileBytes: 1, memoryBytes: 256 * 1024 * 1024, processorSeconds: 2 };
const timeoutMs = 10_000;
/** util-linux's exit code for a program that is not there. */
const noProgram = 127;

/**
 * The program of a capture's filter, for a socket. No filter takes all.
 * @throws as {@link compileExpression}
 */
export async function compileFilter(
  { filter, snapBytes }: { readonly filter: string; readonly snapBytes: number },
  host: string,
  signal: AbortSignal,
): Promise<readonly Instruction[]> {
  if (filter.trim() === "") return takeAll(snapBytes);
  return seeingTags(await compileExpression({ filter, snapBytes }, host, signal));
}

/**
 * The program of an expression in the language of pcap-filter(7), by tcpdump(8), for frames as they are on the wire. The text
 * is one argument behind "--", so that it is never an option, of a program without privileges or network, with bounds on memory and time.
 * @throws {ZorError} INVALID_ARGUMENT with what is wrong with the filter; FAILED_PRECONDITION: no tcpdump.
 */
export async function compileExpression(
  { filter, snapBytes }: { readonly filter: string; readonly snapBytes: number },
  host: string,
  signal: AbortSignal,
): Promise<readonly Instruction[]> {
  if (filter.length > maxCharacters) throw invalidArgument("filter", `has more than ${maxCharacters} characters`);
  if (!/^[\t -~]*$/.test(filter)) throw invalidArgument("filter", "may have printable ASCII characters only");
  const argv = ["-y", "EN10MB", "-s", String(snapBytes), "-ddd", "--", filter];
  const [tool, ...words] = confinedCommand(["tcpdump", ...argv], bounds);
  try {
    const { stdout } = await run(tool, words, { signal, timeoutMs });
    return parseInstructions(stdout);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    signal.throwIfAborted();
    if (error.exitCode === noProgram || error.isMissing) {
      throw failedPrecondition(
        "NO_TCPDUMP",
        `hosts/${host}`,
        `hosts/${host} has no tcpdump, which compiles filters: install the package tcpdump there, or do without a filter`,
      );
    }
    throw invalidArgument("filter", whatIsWrong(error));
  }
}

function whatIsWrong({ stderrTail, tookTooLong }: ToolError): string {
  if (tookTooLong || stderrTail === "")
    return "cannot be compiled within the time and memory that a filter may take; make it simpler";
  const said = stderrTail.split("\n").findLast((line) => line.startsWith("tcpdump: ")) ?? stderrTail;
  return foreignWords(said.replace(/^tcpdump: (?:can't parse filter expression: )?/, ""));
}
