import { invalidArgument } from "../../../lib/errors.js";
import { counted, listed } from "../../../lib/words.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { readManifests } from "../apply/manifest.js";
import { referencesOf } from "../apply/order.js";
import { findSurplus, surplusText } from "../apply/prune.js";
import { type Applied, applyAll } from "../apply/run.js";
import {
  dryRunOption,
  noWaitOption,
  type Registrar,
  repeatable,
  responseOutput,
  selectorOption,
  waitOption,
  withExamples,
  withNotes,
  yesOption,
} from "../command.js";
import { isStructured } from "../output/forms.js";
import { codeOfError } from "../output/print-error.js";
import type { OutputFormat, Session } from "../session.js";
import { missingArgument } from "../words.js";
import { deleteAll } from "./delete.js";

interface Options {
  readonly file: readonly string[];
  readonly prune?: boolean;
  readonly selector?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly yes?: boolean;
  readonly output: OutputFormat;
}

/** `zor apply -f FILE|DIRECTORY|-`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("apply")
    .description(
      "Make resources what files say: those that are not there are created, of those that are only what the files name is changed, and a second time nothing is. One that fails does not keep the others from being done, but for those that refer to it.",
    )
    .addOption(repeatable("-f, --file <path>", "a file, a directory, or - for standard input; may be repeated"))
    .option("--prune", "then delete what has the labels of --selector and is in none of the files; asks first")
    .addOption(selectorOption())
    .option("--force", "with --prune: also what runs, or takes others with it")
    .addOption(yesOption())
    .addOption(dryRunOption("only check everything, and say what would be done"))
    .addOption(waitOption())
    .addOption(noWaitOption())
    .addOption(responseOutput())
    .action(async (options: Options) => {
      if (options.file.length === 0) throw missingArgument(command, "--file");
      await apply(open(command), options);
    });
  withNotes(
    command,
    `Files hold YAML or JSON, any number of documents. Each is a resource as zor get -o yaml shows it, or lists of them; a resource with a
short name says its kind: "kind: lan" and "name: alpha/lan1". What only the API says (uid, etag, times, status) is left out. null clears a field. Of lists with names in them, such as the NICs of an
instance, what is not said of an element stays; an element that is not named goes.

Resources are taken in the order of what they refer to, by full names or by fields called as the kind, whatever the order of the files.

--prune never deletes hosts, nothing on a host that does not answer, and nothing at all when something in the files could not be
applied. Every resource of the files must have the labels of the selector.`,
  );
  withExamples(
    command,
    "zor apply -f lab.yaml",
    "zor apply -f labs/paris/ --dry-run",
    "zor get lans -o yaml | sed s/1500/9000/ | zor apply -f -",
    "zor apply -f labs/paris/ --prune --selector lab=paris",
  );
}

async function apply(session: Session, options: Options): Promise<void> {
  const { prune = false, selector, dryRun = false, wait, output } = options;
  if (prune !== (selector !== undefined))
    throw invalidArgument("--prune", "--prune and --selector go together: the labels say what belongs to these files");
  const manifests = await readManifests(options.file, session.given);
  if (manifests.length === 0 && !prune) throw invalidArgument("--file", "there is no resource in it");
  const surplus = selector === undefined ? [] : await findSurplus(session, manifests, selector);
  const applied = await applyAll(session, manifests, referencesOf(manifests), { dryRun, wait });
  await report(session, applied, output, dryRun);
  const failed = applied.filter(({ outcome }) => outcome === "failed" || outcome === "skipped");
  for (const { error } of failed) if (error !== undefined) session.setExitCode(codeOfError(error));
  if (surplus.length === 0) return;
  if (failed.length > 0) {
    session.note(
      `nothing was pruned (${surplusText(surplus)}): ${counted(failed.length, "resource")} could not be applied`,
    );
    return;
  }
  await deleteAll(session, surplus, options, "pruned");
}

const words = { created: "created", changed: "changed", unchanged: "unchanged", failed: "FAILED", skipped: "skipped" };
const wouldBe = { ...words, created: "would be created", changed: "would be changed" };

async function report(
  session: Session,
  applied: readonly Applied[],
  output: OutputFormat,
  dryRun: boolean,
): Promise<void> {
  if (isStructured(output)) {
    const resources = applied.map(({ manifest: { kind, name, place }, outcome, paths, note }) => ({
      ...{ kind: kind.singular, name, place, outcome, paths, note },
    }));
    await session.printJson(output, { dryRun, resources });
    return;
  }
  for (const { manifest, outcome, paths, note } of applied) {
    const { kind, name } = manifest;
    if (output === "name") {
      session.print(escapeText(name));
      continue;
    }
    const what = (dryRun ? wouldBe : words)[outcome];
    const more = [paths.length === 0 ? "" : ` (${listed(paths, 8)})`, note === "" ? "" : `: ${note}`].join("");
    session.print(escapeText(`${kind.singular} ${shortName(name)} ${what}${more}`));
  }
}
