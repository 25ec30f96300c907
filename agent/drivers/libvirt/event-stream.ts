import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { splitLines } from "../../../lib/line-splitter.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { startOwned, ToolError } from "../../host/exec.js";
import { explain, keepAlive } from "./virsh.js";

/** A domain's event, as `virsh event` prints it. */
export interface DomainEvent {
  /** "lifecycle", "reboot" and so on. */
  readonly type: string;
  readonly domain: string;
  /** "Undefined Removed" and the like. */
  readonly detail: string;
}

/** What is told while events come. */
export interface StreamListener {
  /** It answers: what happens from now on is told. */
  onOpen(): void;
  onEvent(event: DomainEvent): void;
}

const maxLineBytes = 16 * 1024;
const maxErrorCharacters = 4096;
const openLimitMs = 10_000;
// Names have no line ends, so that a line is one event whatever a domain is called.
const eventLine = /^event '([a-z-]{1,40})' for domain '(.*)': ?(.*)$/;

/**
 * Follows the events of one libvirt until that ends, or the signal aborts; resolves to why it ended. A connection without signs of life
 * is given up by virsh itself.
 */
export async function followDomainEvents(uri: string, listener: StreamListener, signal: AbortSignal): Promise<string> {
  const argv = [...keepAlive, "-c", uri, "uri; event --all --loop"] as const;
  const child = startOwned(["virsh", ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close");
  const opening = timeLimit(openLimitMs);
  const state = { isOpen: false, said: "", why: "" };
  const end = (why: string) => {
    state.why = state.why === "" ? why : state.why;
    endProcess(child);
  };
  const read = splitLines(maxLineBytes, (line) => {
    const event = eventLine.exec(line);
    if (event !== null) {
      listener.onEvent({ type: event[1] ?? "", domain: event[2] ?? "", detail: event[3] ?? "" });
    } else if (!state.isOpen && line.trim() !== "") {
      state.isOpen = true;
      listener.onOpen();
    }
  });
  child.stdout?.on("data", (chunk: Buffer) => {
    if (!read(chunk)) end("virsh printed a line that is too long");
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    state.said = (state.said + chunk.toString("utf8")).slice(-maxErrorCharacters);
  });
  const onAbort = () => end("");
  const onSlow = () => {
    if (!state.isOpen) end(`it does not answer within ${openLimitMs / 1000} s`);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  opening.addEventListener("abort", onSlow, { once: true });
  if (signal.aborted) onAbort();
  try {
    const [exitCode] = (await ended) as [number | null];
    if (state.why !== "") return state.why;
    const missing = /zor-owned: \d+\s*$/.test(state.said);
    const why = missing ? "is not installed" : "ended";
    const stderr = missing ? "" : state.said;
    const failure = { tool: "virsh", argv, exitCode: exitCode ?? undefined, stderr, why, cause: undefined };
    return explain(new ToolError(failure), uri);
  } finally {
    signal.removeEventListener("abort", onAbort);
    opening.removeEventListener("abort", onSlow);
  }
}

function endProcess(child: ChildProcess): void {
  child.kill("SIGTERM");
}
