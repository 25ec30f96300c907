import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../../lib/errors.js";
import { isStructured } from "../output/forms.js";
import { codeOfError, formatError } from "../output/print-error.js";
import type { Session } from "../session.js";
import { Board, type BoardRow } from "./board.js";

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
  /** So many of the first are done before any other; when one of them fails, no other is begun. */
  readonly canaries?: number | undefined;
  /** When more than so many have failed no other is begun; undefined: one that fails keeps no other. */
  readonly maxFailures?: number | undefined;
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
 * Works on hosts, so many at a time; those that fail stop the others only as the options say. The exit code says how many failed. @param attach
 * gives the board to whoever asks people, so that nothing is drawn meanwhile.
 */
export async function runOnHosts(
  session: Session,
  jobs: readonly HostJob[],
  options: RunOptions,
  attach: (board: Board) => void,
): Promise<void> {
  const { io } = session;
  const { output, canaries = 0 } = options;
  const run: Run = { session, options, outcomes: [], failures: [], stopped: "" };
  {
    using board = new Board(io, isStructured(output));
    attach(board);
    const rows = jobs.map((job) => ({ job, row: board.add(job.name) }));
    const first = rows.slice(0, canaries);
    if (first.length > 0 && first.length < rows.length)
      session.note(`first: ${first.map(({ job }) => job.name).join(", ")}`);
    for (const wave of [first, rows.slice(canaries)]) {
      await runWave(wave, run, board);
      if (wave === first && run.failures.length > 0) run.stopped = "one of the first failed";
    }
  }
  io.signal.throwIfAborted();
  const { outcomes, failures, stopped } = run;
  if (isStructured(output))
    await session.printJson(output, { hosts: outcomes.sort((a, b) => a.host.localeCompare(b.host)) });
  else for (const { host, notes } of outcomes) for (const note of notes) session.note(`${host}: ${note}`);
  const [first] = failures;
  if (first === undefined) return;
  if (jobs.length === 1) {
    if (!isStructured(output))
      io.errors.write(formatError(first, { json: false, verbose: session.options.verbose === true }));
    session.setExitCode(codeOfError(first));
    return;
  }
  const left = outcomes.filter(({ result }) => result === notBegun).length;
  session.note(`${failures.length} of ${jobs.length} failed${left === 0 ? "" : `, ${left} not begun: ${stopped}`}`);
  session.setExitCode(failedBase + Math.min(100, failures.length));
}

const notBegun = "not begun";

interface Run {
  readonly session: Session;
  readonly options: RunOptions;
  readonly outcomes: Outcome[];
  readonly failures: unknown[];
  /** Why no other host is begun; "": they are. */
  stopped: string;
}

interface Row {
  readonly job: HostJob;
  readonly row: BoardRow;
}

async function runWave(rows: readonly Row[], run: Run, board: Board): Promise<void> {
  const { maxParallel, maxFailures = Number.POSITIVE_INFINITY } = run.options;
  const { signal } = run.session.io;
  let next = 0;
  const worker = async (index: number): Promise<void> => {
    // Not all at the same moment: servers throttle what has not logged in yet.
    if (index > 0) await delay(Math.random() * jitterMs * index, undefined, { signal }).catch(() => undefined);
    for (let at = next++; at < rows.length && !signal.aborted; at = next++) {
      const each = rows[at];
      if (each === undefined) return;
      if (run.stopped === "" && run.failures.length > maxFailures) run.stopped = `more than ${maxFailures} failed`;
      if (run.stopped === "") await runOne(each, run, board);
      else {
        board.done(each.row, notBegun);
        run.outcomes.push({ host: each.job.name, result: notBegun, changed: false, seconds: 0, notes: [], error: "" });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(maxParallel, rows.length) }, (_, index) => worker(index)));
}

async function runOne({ job, row }: Row, { session, outcomes, failures }: Run, board: Board): Promise<void> {
  const { signal } = session.io;
  const outcome = { host: job.name, result: "", changed: false, notes: [] as readonly string[], error: "" };
  try {
    board.step(row, "connects");
    const { text, changed, notes } = await job.run((step) => board.step(row, step));
    board.done(row, text);
    Object.assign(outcome, { result: text, changed, notes });
  } catch (error) {
    const why = signal.aborted ? "interrupted; run it again to go on" : messageOf(error);
    if (!signal.aborted) failures.push(error);
    board.done(row, `FAILED: ${why}`);
    Object.assign(outcome, { error: why });
  }
  outcomes.push({ ...outcome, seconds: Number(row.seconds.toFixed(1)) });
}
