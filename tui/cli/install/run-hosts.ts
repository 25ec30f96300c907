import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../../lib/errors.js";
import { isStructured } from "../output/forms.js";
import { codeOfError, formatError } from "../output/print-error.js";
import type { Session } from "../session.js";
import { Board, type BoardRow, type HostBoard } from "./board.js";
import type { Outcome, Steps } from "./steps.js";

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
  /** Whoever looks on is told every step, and may pause it; undefined: a person looks at the board. */
  readonly steps?: Steps | undefined;
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
  attach: (board: HostBoard) => void,
): Promise<void> {
  const { io } = session;
  const { output, canaries = 0, steps, maxParallel, maxFailures } = options;
  const run: Run = { session, options, outcomes: [], failures: [], stopped: "" };
  {
    using board = steps ?? new Board(io, isStructured(output));
    attach(board);
    steps?.begins({ hosts: jobs.map(({ name }) => name), canaries, maxParallel, maxFailures });
    const rows = jobs.map((job) => ({ job, row: board.add(job.name) }));
    const first = rows.slice(0, canaries);
    if (first.length > 0 && first.length < rows.length && steps === undefined)
      session.note(`first: ${first.map(({ job }) => job.name).join(", ")}`);
    for (const wave of [first, rows.slice(canaries)]) {
      await runWave(wave, run, board);
      if (wave === first && run.failures.length > 0) run.stopped = "one of the first failed";
    }
  }
  io.signal.throwIfAborted();
  const { outcomes, failures, stopped } = run;
  if (steps !== undefined) {
    // All of it was told.
  } else if (isStructured(output))
    await session.printJson(output, { hosts: outcomes.sort((a, b) => a.host.localeCompare(b.host)) });
  else for (const { host, notes } of outcomes) for (const note of notes) session.note(`${host}: ${note}`);
  const [first] = failures;
  if (first === undefined) return;
  if (jobs.length === 1) {
    if (!isStructured(output) && steps === undefined)
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

async function runWave(rows: readonly Row[], run: Run, board: HostBoard): Promise<void> {
  const { maxParallel, maxFailures = Number.POSITIVE_INFINITY, steps } = run.options;
  const { signal } = run.session.io;
  let next = 0;
  const worker = async (index: number): Promise<void> => {
    // Not all at the same moment: servers throttle what has not logged in yet.
    if (index > 0) await delay(Math.random() * jitterMs * index, undefined, { signal }).catch(() => undefined);
    for (let at = next++; at < rows.length && !signal.aborted; at = next++) {
      const each = rows[at];
      if (each === undefined) return;
      const mayBegin = (await steps?.mayBegin(signal)) ?? true;
      if (run.stopped === "" && run.failures.length > maxFailures) run.stopped = `more than ${maxFailures} failed`;
      if (run.stopped === "" && !mayBegin) run.stopped = "it was cancelled";
      if (run.stopped === "") await runOne(each, run, board);
      else {
        board.done(each.row, notBegun, 0);
        const nothing = { changed: false, seconds: 0, notes: [], error: "" };
        keepOutcome(run, { host: each.job.name, result: notBegun, ...nothing });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(maxParallel, rows.length) }, (_, index) => worker(index)));
}

function keepOutcome({ outcomes, options: { steps } }: Run, outcome: Outcome): void {
  outcomes.push(outcome);
  steps?.outcome(outcome);
}

async function runOne({ job, row }: Row, run: Run, board: HostBoard): Promise<void> {
  const { session, failures } = run;
  const { signal } = session.io;
  const beganMs = performance.now();
  const secondsNow = (): number => (performance.now() - beganMs) / 1000;
  const outcome = { host: job.name, result: "", changed: false, notes: [] as readonly string[], error: "" };
  try {
    board.step(row, "connects");
    const { text, changed, notes } = await job.run((step) => board.step(row, step));
    board.done(row, text, secondsNow());
    Object.assign(outcome, { result: text, changed, notes });
  } catch (error) {
    const why = signal.aborted ? "interrupted; run it again to go on" : messageOf(error);
    if (!signal.aborted) failures.push(error);
    board.done(row, `FAILED: ${why}`, secondsNow());
    Object.assign(outcome, { error: why });
  }
  keepOutcome(run, { ...outcome, seconds: Number(row.seconds.toFixed(1)) });
}
