import { failedPrecondition } from "../../../lib/errors.js";
import { findKind, type Kind, kindNamed } from "../../../lib/kinds/kinds.js";
import { requestOf, responseField } from "../../../lib/kinds/verbs.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import { type BlastRadius, blastRadius } from "../blast-radius.js";
import { asMethod } from "../change.js";
import { type Registrar, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { confirm } from "../confirm.js";
import { forEachName } from "../for-each-name.js";
import { standardMethod } from "../kinds.js";
import { kindOfFullName, resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface DeleteOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly wait: boolean;
}

/** Stopping a guest takes a while on a busy host. */
const deleteTimeoutMs = 60_000;

/** `zor delete [KIND] NAME...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("delete")
    .description(
      "Delete instances (with their disks that are not images), lans, links or in-line boxes, after showing what goes with them.",
    )
    .addArgument(new ResourceArgument("<names...>", "instances; or a kind and then names; or full names"))
    .option("--host <host>", "the host of names without one")
    .option("--force", "stop instances that run first")
    .option("-y, --yes", "do not ask")
    .option("--no-wait", "do not wait until both ends of a link are gone")
    .option("--dry-run", "only show what would be deleted and check the requests")
    .addOption(responseOutput())
    .action(async (words: string[], options: DeleteOptions) => {
      const session = open(command);
      const targets = await findTargets(session, words, options);
      const plan = ["This deletes:", ...targets.map(({ line }) => `  ${line}`)];
      if (!(await confirm(session, plan, "Delete?", options))) return;
      const byName = new Map(targets.map((target) => [target.name, target]));
      await forEachName(session, [...byName.keys()], options.output, async (name, part) => {
        const target = byName.get(name);
        if (target !== undefined) await deleteOne(session, target, options, part);
      });
    });
  withExamples(
    command,
    "zor delete alpha/vm1",
    "zor delete alpha/vm1 alpha/vm2 --force --yes",
    "zor delete lan alpha/lan1",
    "zor delete link demo",
    "zor delete a2b alpha/wan",
  );
}

async function findTargets(
  session: Session,
  words: readonly string[],
  { host, force, dryRun }: DeleteOptions,
): Promise<BlastRadius[]> {
  const [first = "", ...rest] = words;
  const named = rest.length > 0 ? findKind(first) : undefined;
  const targets: BlastRadius[] = [];
  for (const text of named === undefined ? words : rest) {
    const kind = named ?? kindOf(text);
    const target = await blastRadius(session, kind, await resolveName(session, kind, text, host));
    if (target.running && force !== true && dryRun !== true) {
      throw failedPrecondition(
        "INSTANCE_RUNNING",
        target.name,
        `${shortName(target.name)} runs; stop it first, or add --force; nothing was deleted`,
      );
    }
    targets.push(target);
  }
  return targets;
}

/** Full names tell their kind; everything else is an instance. */
function kindOf(text: string): Kind {
  return kindOfFullName(text) ?? kindNamed("instance");
}

async function deleteOne(
  session: Session,
  { kind, name }: BlastRadius,
  options: DeleteOptions,
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
  const waits = operation !== undefined && options.wait && !validateOnly;
  const response = waits
    ? { ...answer, operation: await session.follow(operation, `deleting ${kind.singular} ${shortName(name)}`) }
    : answer;
  await session.printResponse(options.output, asMethod({ method }), response, () => {
    if (options.output === "name") return escapeText(name);
    return escapeText(`${shortName(name)} ${validateOnly ? "could be deleted; nothing was changed" : "deleted"}`);
  });
}
