import { failedPrecondition } from "../../../lib/errors.js";
import type { SshTarget } from "../../../lib/ssh/target.js";
import type { BringOptions } from "./bring.js";
import { readFacts } from "./bring.js";
import type { HostFacts } from "./facts.js";
import { Remote, type RemoteOptions } from "./remote.js";
import type { JobResult } from "./run-hosts.js";
import type { Step, Task } from "./step.js";

/** What every visit of a machine works with. */
export interface VisitOptions extends BringOptions {
  readonly remote: RemoteOptions;
  /** Only looks, and says what would be done. */
  readonly dryRun: boolean;
}

/** What is to be done on a machine, once it was looked at. */
export interface Plan {
  /** What it is called where something is wrong with it. */
  readonly resource: string;
  /** All that keeps it from being done. */
  readonly problems: readonly string[];
  /** In this order. */
  readonly tasks: readonly Task[];
  /** What would be different, line by line. */
  readonly preview?: readonly string[];
  /** What became of it. @param done names of what was done; none: there was nothing to do. */
  readonly finish: (done: readonly string[]) => Promise<JobResult>;
}

/**
 * The order of everything that is done to a machine: log in, look, say all that is wrong, keep others away, do what is not done yet.
 * @throws {ZorError} HOST_NOT_FIT with all problems, before anything is changed.
 */
export async function visit(
  target: SshTarget,
  options: VisitOptions,
  step: Step,
  planFor: (remote: Remote, facts: HostFacts) => Promise<Plan>,
): Promise<JobResult> {
  using remote = await Remote.open(target, options.remote);
  step("looks");
  const { resource, problems, tasks, finish, preview = [] } = await planFor(remote, await readFacts(remote, options));
  if (problems.length > 0) throw failedPrecondition("HOST_NOT_FIT", resource, problems.join("; "));
  const todo = tasks.filter(({ isNeeded }) => isNeeded);
  const names = todo.map(({ name }) => name);
  // Awaited here: the connection ends with this function.
  if (todo.length === 0) return await finish([]);
  if (options.dryRun) return { text: `would: ${names.join(", ")}`, changed: false, notes: preview };
  using _lock = await remote.lock();
  for (const { run } of todo) await run();
  return await finish(names);
}
