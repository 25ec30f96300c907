import { failedPrecondition } from "../../../lib/errors.js";
import { findKind, type Kind, kindNamed } from "../../../lib/kinds/kinds.js";
import { requestOf, responseField } from "../../../lib/kinds/verbs.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { asMethod } from "../change.js";
import { areChosen, asChosen, type ChosenOptions, chosenOf, typedNumber } from "../chosen.js";
import {
  dryRunOption,
  noWaitOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  waitOption,
  withExamples,
  yesOption,
} from "../command.js";
import { confirm } from "../confirm.js";
import { type Deletion, planDeletion } from "../deletion.js";
import { forEachName } from "../for-each-name.js";
import { standardMethod } from "../kinds.js";
import { kindOfFullName, resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

type DeleteOptions = DeletionOptions & ChosenOptions;

/** Stopping a guest takes a while on a busy host. */
const deleteTimeoutMs = 60_000;

/** `zor delete [KIND] NAME...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("delete")
    .description(
      "Delete resources, after showing what goes with them: instances with their disks that are not images, hosts with the links that end on them.",
    )
    .addArgument(new ResourceArgument("[names...]", "instances; or a kind and then names; or full names"));
  asChosen(command)
    .option("--force", "also what runs, or takes others with it")
    .addOption(yesOption())
    .addOption(waitOption())
    .addOption(noWaitOption())
    .addOption(dryRunOption("only show what would be deleted and check the requests"))
    .addOption(responseOutput())
    .action(async (words: string[], options: DeleteOptions) => {
      const session = open(command);
      await deleteAll(session, await findTargets(session, words, options), options, "deleted");
    });
  withExamples(
    command,
    "zor delete alpha/vm1",
    "zor delete alpha/vm1 alpha/vm2 --force --yes",
    "zor delete lan alpha/lan1",
    "zor delete link demo",
    "zor delete a2b alpha/wan",
    "zor delete instances --selector lab=paris --force",
  );
}

async function findTargets(
  session: Session,
  words: readonly string[],
  options: ChosenOptions,
): Promise<readonly Target[]> {
  const [first = "", ...rest] = words;
  // A kind alone is what is chosen of.
  const alone = rest.length === 0 ? findKind(first) : undefined;
  if (areChosen(alone === undefined ? words : [], options)) {
    const kind = alone ?? kindNamed("instance");
    return (await chosenOf(session, kind, options)).map(({ value }) => ({ kind, name: value.name }));
  }
  const named = rest.length > 0 ? findKind(first) : undefined;
  const targets: Target[] = [];
  for (const text of named === undefined ? words : rest) {
    const kind = named ?? kindOf(text);
    targets.push({ kind, name: await resolveName(session, kind, text, options.host) });
  }
  return targets;
}

/** Something to delete. */
interface Target {
  readonly kind: Kind;
  readonly name: string;
}

/** How things are deleted. */
export interface DeletionOptions {
  readonly output: OutputFormat;
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
}

/** Deletes resources after showing what goes with them, or none of them. @param done what is said of each: "deleted". */
export async function deleteAll(
  session: Session,
  targets: readonly Target[],
  options: DeletionOptions,
  done: string,
): Promise<void> {
  if (targets.length === 0) return;
  const plan: Deletion[] = [];
  for (const { kind, name } of targets) {
    const deletion = await planDeletion(session, kind, name);
    plan.push(deletion);
    if (deletion.whyForced === undefined || options.force === true) continue;
    if (options.dryRun === true) session.note(linesOf(plan).join("\n"));
    throw failedPrecondition(
      "NOT_FORCED",
      name,
      `nothing was deleted: ${shortName(name)} takes --force, because ${deletion.whyForced}`,
    );
  }
  const lines = linesOf(plan);
  const byName = new Map(plan.map((each) => [each.name, each]));
  if (!(await confirm(session, lines, "Delete?", { ...options, ...typedNumber(byName.size) }))) return;
  await forEachName(session, [...byName.keys()], options.output, async (name, part) => {
    const target = byName.get(name);
    if (target !== undefined) await deleteOne(session, { ...target, done }, options, part);
  });
}

function linesOf(plan: readonly Deletion[]): readonly string[] {
  return ["This deletes:", ...new Set(plan.flatMap((each) => each.lines.map((line) => `  ${line}`)))];
}

/** Full names tell their kind; everything else is an instance. */
function kindOf(text: string): Kind {
  return kindOfFullName(text) ?? kindNamed("instance");
}

async function deleteOne(
  session: Session,
  { kind, name, done }: Target & { readonly done: string },
  options: DeletionOptions,
  part: number | undefined,
): Promise<void> {
  const validateOnly = options.dryRun === true;
  const { method, rule } = standardMethod(kind, "delete");
  const fields = {
    [rule.route]: name,
    requestId: session.requestId(part),
    validateOnly,
    force: options.force === true,
  };
  const answer = Object(await session.call(asMethod({ method }), requestOf(method, fields), deleteTimeoutMs));
  // Where the response has such a field, it holds an operation.
  const operation = responseField(answer, "operation") as Operation | undefined;
  const waits = operation !== undefined && options.wait !== false && !validateOnly;
  const response = waits
    ? { ...answer, operation: await session.follow(operation, `deleting ${kind.singular} ${shortName(name)}`) }
    : answer;
  await session.printResponse(options.output, asMethod({ method }), response, () => {
    if (options.output === "name") return escapeText(name);
    return escapeText(`${shortName(name)} ${validateOnly ? "could be deleted; nothing was changed" : done}`);
  });
}
