import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { nodePath } from "../../../lib/program.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";

const copier = fileURLToPath(new URL("./copier.mjs", import.meta.url));
const port = "9100";

/** Where a copy goes from and to. */
export interface CopyOptions {
  readonly from: { readonly netns: string };
  readonly to: { readonly netns: string; readonly ip: string };
  readonly bytes: number;
  /** Undefined: as fast as it goes. */
  readonly bytesPerSecond?: number;
  /** Longest time until it must be done. */
  readonly timeoutMs: number;
}

/** A TCP copy under way. */
export interface Copy {
  /** Resolves when all bytes have arrived unchanged; fails when they have not. */
  readonly done: Promise<{ readonly longestStallMs: number }>;
  /** Whether it has ended, well or not. */
  readonly ended: () => boolean;
  /** From now on it goes as fast as it can. */
  readonly hurry: () => void;
}

/** Starts a TCP copy and resolves when the receiver listens. */
export async function startCopy(options: CopyOptions): Promise<Copy> {
  const { from, to, bytes, bytesPerSecond = 0, timeoutMs } = options;
  const receiving = run(nodePath, [copier, "receive", to.ip, port], { netns: to.netns, timeoutMs });
  receiving.catch(() => undefined);
  await eventually(async () => {
    const { stdout } = await run("ss", ["-Hltn", `sport = :${port}`], { netns: to.netns });
    expect(stdout).not.toBe("");
  });
  const argv = ["netns", "exec", from.netns, nodePath, copier, "send", to.ip, port, String(bytes)];
  const sender = spawnOwned("ip", [...argv, String(bytesPerSecond)], {
    stdio: ["pipe", "pipe", "pipe"],
    timeout: timeoutMs,
  });
  let ended = false;
  const done = finish(outputOf(sender), receiving, bytes).finally(() => {
    ended = true;
  });
  // A test that fails before it awaits the copy must show its own failure.
  done.catch(() => undefined);
  return { done, ended: () => ended, hurry: () => void sender.stdin.write("hurry\n") };
}

/** What a program printed. @throws {Error} with what it complained about, when it fails. */
async function outputOf(program: ChildProcessWithoutNullStreams): Promise<{ readonly stdout: string }> {
  const [stdout, stderr, [code]] = await Promise.all([
    text(program.stdout),
    text(program.stderr),
    once(program, "close") as Promise<[number | null]>, // the arguments of this event
  ]);
  if (code !== 0) throw new Error(`the sender ended with ${code}: ${stderr}`);
  return { stdout };
}

async function finish(
  sending: Promise<{ readonly stdout: string }>,
  receiving: Promise<{ readonly stdout: string }>,
  bytes: number,
): Promise<{ readonly longestStallMs: number }> {
  const [sent, received] = await Promise.all([sending, receiving]);
  // What copier.mjs prints.
  const { sha256 } = JSON.parse(sent.stdout) as { sha256: string };
  const result = JSON.parse(received.stdout) as { bytes: number; sha256: string; longestStallMs: number };
  expect(result).toMatchObject({ bytes, sha256 });
  return result;
}
