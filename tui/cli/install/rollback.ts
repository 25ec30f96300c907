import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { formatTarget } from "../../../lib/ssh/target.js";
import type { HostFacts } from "./facts.js";
import { findHost, hasJoined, noteSsh, waitUntilReady } from "./fleet-side.js";
import { hubAnswers } from "./hub-health.js";
import type { InstallOptions } from "./install-host.js";
import type { HubOptions } from "./install-hub.js";
import type { Remote } from "./remote.js";
import type { JobResult } from "./run-hosts.js";
import { switchOrBack } from "./switch.js";
import { programOf, type Trial, tryOut } from "./trial.js";
import type { Step } from "./step.js";
import { type Plan, visit } from "./visit.js";
import type { HostWish } from "./wishes.js";

/** Which of the versions that a machine keeps beside each other. */
export interface RollbackChoice {
  /** Its id, or the beginning of one; undefined: the one that was current before. */
  readonly to: string | undefined;
}

/** Takes a host's agent back to a version that is beside the current one; back again by itself when the hub does not reach it. */
export async function rollBackHost(
  wish: HostWish,
  options: InstallOptions & RollbackChoice,
  step: Step,
): Promise<JobResult> {
  const { session } = options;
  const name = `hosts/${wish.id}`;
  return visit(wish.ssh, options, step, async (remote, facts) => {
    const known = await findHost(session, name);
    const isWell = (pid: bigint) => waitUntilReady(session, name, pid);
    const isKnown = facts.current === "" || hasJoined(known);
    const problems = isKnown ? [] : [`${name} has not joined the fleet; use: zor host install`];
    return planOf(remote, facts, options, {
      ...{ problems, step, resource: name, isWell, wasWell: isWell },
      // As installing does: so that later runs know how it is reached.
      finished: async () => {
        const host = await waitUntilReady(session, name, undefined);
        if (!options.dryRun) await noteSsh(session, host, formatTarget(wish.ssh));
      },
    });
  });
}

/** Takes a hub back to a version that is beside the current one; back again by itself when it does not answer. */
export async function rollBackHub(options: HubOptions & RollbackChoice, step: Step): Promise<JobResult> {
  return visit(options.target, options, step, async (remote, facts) =>
    planOf(remote, facts, options, {
      ...{ problems: [], step, resource: remote.connection.name },
      isWell: async () => hubAnswers(remote, { build: await buildOf(remote) }),
      wasWell: () => hubAnswers(remote, {}),
      finished: () => hubAnswers(remote, {}),
    }),
  );
}

interface RollbackParts extends Pick<Trial, "resource" | "step" | "isWell" | "wasWell"> {
  readonly problems: readonly string[];
  /** After all is done, or when there is nothing to do. */
  readonly finished: () => Promise<unknown>;
}

function planOf(
  remote: Remote,
  facts: HostFacts,
  { to, unit, session }: (InstallOptions | HubOptions) & RollbackChoice,
  { problems, finished, ...trial }: RollbackParts,
): Plan {
  const id = chooseVersion(facts, to, trial.resource);
  return {
    resource: trial.resource,
    problems,
    tasks: [
      {
        name: `back to ${id}`,
        isNeeded: id !== facts.current,
        run: async () => {
          trial.step("switches");
          const common = { remote, unit, signal: session.io.signal };
          await tryOut({ ...common, ...trial, ...switchOrBack(remote, facts, { id, unit }) });
        },
      },
    ],
    finish: async (done) => {
      await finished();
      const isDone = done.length > 0;
      return { text: isDone ? `back to ${id}` : `nothing to do: runs ${id}`, changed: isDone, notes: [] };
    },
  };
}

/**
 * Finds the version to go back to. @throws {ZorError} NO_VERSION when there is none, with those that there are; INVALID_ARGUMENT when what was
 * given is the beginning of several.
 */
export function chooseVersion(
  { current, previous, versions }: Pick<HostFacts, "current" | "previous" | "versions">,
  wanted: string | undefined,
  resource: string,
): string {
  if (current === "") throw noVersion(resource, `Zorhub is not installed there by zor`);
  const others = versions.filter((id) => id !== current);
  const kept = others.length === 0 ? "no other is kept beside it" : `kept beside it: ${others.join(", ")}`;
  if (wanted === undefined) {
    if (previous !== current && versions.includes(previous)) return previous;
    const remedy = others.length === 0 ? "" : "; choose one with --to";
    throw noVersion(resource, `it runs ${current}, and there was no version before; ${kept}${remedy}`);
  }
  const found = versions.filter((id) => id === wanted || id.startsWith(wanted) || id.endsWith(`-${wanted}`));
  const [first] = versions.includes(wanted) ? [wanted] : found;
  if (first === undefined) throw noVersion(resource, `version ${wanted} is not there; it runs ${current}; ${kept}`);
  if (found.length > 1 && first !== wanted)
    throw invalidArgument("--to", `${wanted} is the beginning of several on ${resource}: ${found.join(", ")}`);
  return first;
}

function noVersion(resource: string, message: string) {
  return failedPrecondition("NO_VERSION", resource, `there is nothing to go back to: ${message}`);
}

/** What the hub of the current version says of itself. */
async function buildOf(remote: Remote): Promise<string | undefined> {
  const read = `sed -n '/^ "builds": {/,/}/s/^  "hub": "\\([0-9a-f]*\\)".*/\\1/p' /opt/zorhub/current/manifest.json`;
  const build = (await remote.must(`reading what ${programOf("zor-hub")} it is`, read)).trim();
  return build === "" ? undefined : build;
}
