import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../../lib/errors.js";
import { isStructured } from "../output/forms.js";
import { codeOfError, formatError } from "../output/print-error.js";
import type { Session } from "../session.js";
import { Board } from "./board.js";

/** A host's part of a run. */
export interface HostJob {
  /** For people. */
  readonly name: string;
  /** Does it; resolves to what became of it. @param step tells what is being done. */
  readonly run: (step: (text: string) => void) => Promise<JobResult>;
}

/** What became of a host. */
export interface JobResult {
  /** In words: "installed", "nothing to do". */
  readonly text: string;
  readonly changed: boolean;
  /** What else is to be known of it. */
  readonly notes: readonly string[];
}

/** How hosts are worked on. */
export interface RunOptions {
  readonly output: string;
  readonly maxParallel: number;
}

/** A host of the answer as JSON. */
interface Outcome {
  readonly host: string;
  readonly result: string;
  readonly changed: boolean;
  readonly seconds: number;
  readonly notes: readonly string[];
  readonly error: string;
}

/** sshd drops connections at random when 10 come at once (MaxStartups 10:30:100). */
export const usualParallel = 8;
const jitterMs = 300;
/** Exit code of a run in which hosts failed: this and how many, at most 100. */
const failedBase = 10;

/**
 * Works on hosts, so many at a time; one that fails does not stop the others. The exit code says how many failed. @param attach gives the
 * board to whoever asks people, so that nothing is drawn meanwhile.
 */
export async function runOnHosts(
  session: Session,
  jobs: readonly HostJob[],
  options: RunOptions,
  attach: (board: Board) => void,
): Promise<void> {
  const { io } = session;
  const outcomes: Outcome[] = [];
  const failures: unknown[] = [];
  {
    using board = new Board(io, isStructured(options.output));
    attach(board);
    const rows = jobs.map((job) => ({ job, row: board.add(job.name) }));
    let next = 0;
    const worker = async (index: number): Promise<void> => {
      // Not all at the same moment: servers throttle what has not logged in yet.
      if (index > 0)
        await delay(Math.random() * jitterMs * index, undefined, { signal: io.signal }).catch(() => undefined);
      for (let at = next++; at < rows.length && !io.signal.aborted; at = next++) {
        const each = rows[at];
        if (each === undefined) return;
        const { job, row } = each;
        const outcome = {
          host: job.name,
          result: "",
          changed: false,
          seconds: 0,
          notes: [] as readonly string[],
          error: "",
        };
        try {
          board.step(row, "connects");
          const { text, changed, notes } = await job.run((step) => board.step(row, step));
          board.done(row, text);
          Object.assign(outcome, { result: text, changed, notes });
        } catch (error) {
          const why = io.signal.aborted ? "interrupted; run it again to go on" : messageOf(error);
          if (!io.signal.aborted) failures.push(error);
          board.done(row, `FAILED: ${why}`);
          Object.assign(outcome, { error: why });
        }
        outcomes.push({ ...outcome, seconds: Number(row.seconds.toFixed(1)) });
      }
    };
    await Promise.all(Array.from({ length: Math.min(options.maxParallel, jobs.length) }, (_, index) => worker(index)));
  }
  io.signal.throwIfAborted();
  if (isStructured(options.output))
    await session.printJson(options.output, { hosts: outcomes.sort((a, b) => a.host.localeCompare(b.host)) });
  else for (const { host, notes } of outcomes) for (const note of notes) session.note(`${host}: ${note}`);
  const [first] = failures;
  if (first === undefined) return;
  if (jobs.length === 1) {
    if (!isStructured(options.output))
      io.errors.write(formatError(first, { json: false, verbose: session.options.verbose === true }));
    session.setExitCode(codeOfError(first));
    return;
  }
  session.note(`${failures.length} of ${jobs.length} failed`);
  session.setExitCode(failedBase + Math.min(100, failures.length));
}
