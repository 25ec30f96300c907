import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { failedPrecondition } from "../../../lib/errors.js";
import { boundCommand } from "../../../lib/owned-process.js";
import type { CaptureSink } from "../../client/captures/capture-file.js";
import { harmless, LogLines } from "../../kit/text/log-lines.js";

/** Programs that print frames, the better one first. Names are not looked up: that would put frames of its own on some wire. */
const decoders: readonly (readonly [string, ...string[]])[] = [
  ["tshark", "-n", "-l", "-r", "-"],
  ["tcpdump", "-n", "-l", "-r", "-"],
];

/** A program that is given frames and prints what is in them. */
export interface Decoder extends CaptureSink {
  readonly program: string;
}

/**
 * Starts what decodes frames here. Its lines are made harmless: they hold what guests sent.
 * @param path directories with programs, as in PATH.
 * @param print resolves when more may be printed. @throws {ZorError} FAILED_PRECONDITION: there is none.
 */
export async function startDecoder(path: string, print: (text: string) => Promise<void>): Promise<Decoder> {
  const command = await findDecoder(path);
  if (command === undefined) {
    throw failedPrecondition(
      "NO_DECODER",
      "",
      "neither tshark nor tcpdump is on this machine, which print frames: install one, or write them with -w FILE, or to Wireshark with -w - | wireshark -k -i -",
    );
  }
  const [program, ...argv] = command;
  // Node's pipes are sockets, which tshark does not read files from.
  const piped = ["-c", 'cat | exec "$@"', "sh", program, ...argv];
  const child = spawn(...boundCommand("sh", piped), { stdio: ["pipe", "pipe", "ignore"] });
  const { stdin, stdout } = pipesOf(child);
  stdin.on("error", () => undefined);
  const ended = once(child, "close");
  ended.catch(() => undefined);
  const printed = printLines(stdout, print);
  printed.catch(() => child.kill());
  return {
    program,
    write: async (data) => {
      if (!stdin.writable)
        throw failedPrecondition("DECODER_ENDED", "", `${program} has ended; write the frames with -w FILE`);
      if (!stdin.write(data)) await Promise.race([once(stdin, "drain"), ended]);
    },
    close: async () => {
      stdin.end();
      const [code] = await ended;
      await printed;
      if (code === 0) return;
      const message = `${program} failed with exit code ${String(code)}; write the frames with -w FILE to look at them`;
      throw failedPrecondition("DECODER_FAILED", "", message);
    },
  };
}

function pipesOf({ stdin, stdout }: ChildProcess): { readonly stdin: Writable; readonly stdout: Readable } {
  if (stdin === null || stdout === null) throw new Error("a program was started without pipes");
  return { stdin, stdout };
}

async function printLines(output: Readable, print: (text: string) => Promise<void>): Promise<void> {
  const lines = new LogLines();
  for await (const data of output) {
    const whole = lines.push({ data: data as Buffer, time: undefined });
    if (whole.length > 0) await print(whole.map(({ text }) => `${harmless(text)}\n`).join(""));
  }
}

/** Its command line, with the path of the program. */
async function findDecoder(path: string): Promise<readonly [string, ...string[]] | undefined> {
  for (const [name, ...argv] of decoders) {
    // What administrators use is not on everybody's path.
    for (const directory of [...path.split(":"), "/usr/sbin", "/sbin"].filter((each) => each.startsWith("/"))) {
      const program = join(directory, name);
      const isThere = await access(program, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (isThere) return [program, ...argv];
    }
  }
  return undefined;
}
