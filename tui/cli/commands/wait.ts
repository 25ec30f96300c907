import { status } from "@grpc/grpc-js";
import type { Option } from "commander";
import { invalidArgument, ZorError } from "../../../lib/errors.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { findKind, type Kind, kindNamed } from "../../../lib/kinds/kinds.js";
import { unpack } from "../../../lib/kinds/resource.js";
import { parseFilter } from "../../../lib/list/filter.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { listed } from "../../../lib/words.js";
import { watchResponses } from "../../client/watch.js";
import { parseDurationMs } from "../../kit/input/durations.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { areChosen, asChosen, type ChosenOptions, chosenNames } from "../chosen.js";
import { LanguageOption, type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import { lossReporter } from "../loss-reporter.js";
import { kindOfFullName, resolveLocally, resolveName } from "../resolve.js";
import type { Session } from "../session.js";

interface Options extends ChosenOptions {
  readonly for: string;
}

/** Longest wait, unless --timeout says otherwise. */
const patienceMs = 300_000;

/** `zor wait [KIND] NAME... --for CONDITION`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("wait")
    .description("Wait until resources are as they should be: in a state, deleted, or as a filter says.")
    .addArgument(new ResourceArgument("[names...]", "instances; or a kind and then names; or full names"))
    .addOption(conditionOption());
  asChosen(command).action(async (words: string[], options: Options) => wait(open(command), words, options));
  withNotes(
    command,
    "It waits 5 minutes, or as --timeout says, through restarts of the hub, and ends with 6 when the time is over. With --filter, --selector or --all, and a kind, it is for all that match when it begins.",
  );
  withExamples(
    command,
    "zor wait alpha/vm1 --for state=running",
    "zor wait link demo --for state=active --timeout 30s",
    "zor wait lans --selector lab=paris --for deleted",
    "zor wait alpha/vm1 --for 'status.guest_agent = true'",
  );
}

function conditionOption(): Option {
  const help = "state=running, exists, deleted, or a filter such as 'spec.cpus > 2'";
  return new LanguageOption("--for <condition>", help, "condition").makeOptionMandatory();
}

/** Whether a resource is as it should be; undefined: it is not there. */
type Condition = (resource: object | undefined) => boolean;

async function wait(session: Session, words: readonly string[], options: Options): Promise<void> {
  const { kind, names } = targetsOf(words, options);
  const condition = conditionOf(kind, options.for);
  const left = new Set(await namesOf(session, kind, names, options));
  if (left.size === 0) return;
  const { timeout } = session.options;
  const ending = timeLimit(timeout === undefined ? patienceMs : parseDurationMs("--timeout", timeout));
  const ended = new AbortController();
  const signal = AbortSignal.any([session.io.signal, ending, ended.signal]);
  /** Names of the snapshot that is being read; undefined: it is over, and what is not known is not there. */
  let snapshot: Set<string> | undefined = new Set();
  const look = (name: string, resource: object | undefined): void => {
    if (!left.has(name) || !condition(resource)) return;
    left.delete(name);
    session.print(escapeText(`${kind.singular} ${shortName(name)}: ${options.for}`));
    if (left.size === 0) ended.abort();
  };
  const onState = lossReporter(session);
  const watch = watchResponses(await session.connect(), { kinds: [kind.singular], parent: "", signal, onState });
  for await (const { step } of watch) {
    if (step?.$case === "reset") snapshot = new Set();
    if (step?.$case === "removed") look(step.value.name, undefined);
    if (step?.$case === "upsert") {
      const value = unpack(step.value)?.value;
      if (value !== undefined) snapshot?.add(value.name);
      if (value !== undefined) look(value.name, value);
    }
    if (step?.$case !== "snapshotEnd") continue;
    for (const name of [...left]) if (snapshot?.has(name) !== true) look(name, undefined);
    snapshot = undefined;
  }
  session.io.signal.throwIfAborted();
  if (left.size > 0) throw late(kind, [...left], options.for);
}

function targetsOf(words: readonly string[], options: Options): { kind: Kind; names: readonly string[] } {
  const [first = "", ...rest] = words;
  const named = findKind(first);
  // A kind alone is what is chosen of.
  const isAlone = named !== undefined && rest.length === 0;
  if (areChosen(isAlone ? [] : words, options)) return { kind: named ?? kindNamed("instance"), names: [] };
  if (named !== undefined && rest.length > 0) return { kind: named, names: rest };
  const kinds = new Set(words.map((word) => kindOfFullName(word) ?? kindNamed("instance")));
  const [kind = kindNamed("instance"), other] = kinds;
  if (other !== undefined) throw invalidArgument("names", "wait for resources of one kind at a time");
  return { kind, names: words };
}

/** @throws {ZorError} INVALID_ARGUMENT for what is no condition of the kind. */
function conditionOf(kind: Kind, text: string): Condition {
  const word = text.trim();
  if (word === "deleted" || word === "delete") return (resource) => resource === undefined;
  if (word === "exists" || word === "created" || word === "create") return (resource) => resource !== undefined;
  const state = /^state\s*=\s*([\w-]+)$/i.exec(word)?.[1];
  const filter = state === undefined ? word : `${stateField(kind)} = ${state.replaceAll("-", "_").toUpperCase()}`;
  const { matches } = parseFilter(filter, kind.type);
  return (resource) => resource !== undefined && matches(resource);
}

/** The field with the state of a kind. */
function stateField(kind: Kind): string {
  const message = descriptors().registry.getMessage(kind.type);
  if (message?.fields.some(({ name }) => name === "state") === true) return "state";
  const inner = message?.fields.find(({ name }) => name === "status")?.message;
  if (inner?.fields.some(({ name }) => name === "state") === true) return "status.state";
  throw invalidArgument("--for", `${kind.plural} have no state; wait for deleted, exists or a filter`);
}

async function namesOf(
  session: Session,
  kind: Kind,
  names: readonly string[],
  options: Options,
): Promise<readonly string[]> {
  if (names.length === 0) return await chosenNames(session, kind, names, options);
  const { host } = options;
  // What is not there yet can be waited for, when the name says where.
  const whole = names.map(
    async (text) => resolveLocally(kind, text, host) ?? (await resolveName(session, kind, text, host)),
  );
  return Promise.all(whole);
}

function late(kind: Kind, names: readonly string[], condition: string): ZorError {
  const what = listed(names.map(shortName), 5);
  return new ZorError({
    reason: "NOT_IN_TIME",
    code: status.DEADLINE_EXCEEDED,
    message: `${kind.singular} ${what}: not ${condition} in time; --timeout allows more`,
  });
}
