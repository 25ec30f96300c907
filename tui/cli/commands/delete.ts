import { failedPrecondition } from "../../../lib/errors.js";
import { A2bServiceService } from "../../../proto/gen/zor/v1/a2b_service.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import { type BlastRadius, blastRadius } from "../blast-radius.js";
import { type Registrar, responseOutput, withExamples } from "../command.js";
import { confirm } from "../confirm.js";
import { forEachName } from "../for-each-name.js";
import { findKind, type Kind, kinds } from "../kinds.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface DeleteOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly wait: boolean;
}

/** `zor delete [KIND] NAME...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("delete")
    .description(
      "Delete instances (with their disks that are not images), lans, links or in-line boxes, after showing what goes with them.",
    )
    .argument("<names...>", "instances; or lan, link, a2b or instance and then names; or full names")
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
    const kind = named ?? kindOfFullName(text);
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
function kindOfFullName(text: string): Kind {
  if (text.startsWith("links/")) return kinds.link;
  const collection = /^hosts\/[^/]*\/([^/]*)\//.exec(text)?.[1];
  return collection === "lans" ? kinds.lan : collection === "a2bs" ? kinds.a2b : kinds.instance;
}

async function deleteOne(
  session: Session,
  { kind, name }: BlastRadius,
  options: DeleteOptions,
  part: number | undefined,
): Promise<void> {
  const validateOnly = options.dryRun === true;
  const base = { name, requestId: session.requestId(part), validateOnly };
  const text = (): string => {
    if (options.output === "name") return escapeText(name);
    return escapeText(`${shortName(name)} ${validateOnly ? "could be deleted; nothing was changed" : "deleted"}`);
  };
  if (kind.name === "instance") {
    const method = InstanceServiceService.deleteInstance;
    const response = await session.call(method, { ...base, force: options.force === true }, 60_000);
    await session.printResponse(options.output, method, response, text);
    return;
  }
  if (kind.name === "lan") {
    const method = LanServiceService.deleteLan;
    await session.printResponse(options.output, method, await session.call(method, base, 30_000), text);
    return;
  }
  if (kind.name === "a2b") {
    const method = A2bServiceService.deleteA2B;
    await session.printResponse(options.output, method, await session.call(method, base, 30_000), text);
    return;
  }
  const method = LinkServiceService.deleteLink;
  const response = await session.call(method, base);
  const operation =
    options.wait && !validateOnly
      ? await session.follow(response.operation, `deleting link ${shortName(name)}`)
      : response.operation;
  await session.printResponse(options.output, method, { operation }, text);
}
