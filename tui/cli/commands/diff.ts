import type { JsonValue } from "@bufbuild/protobuf";
import { messageOf } from "../../../lib/errors.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { type Manifest, readManifests } from "../apply/manifest.js";
import { ordered, referencesOf } from "../apply/order.js";
import { type FieldChange, fieldChanges, planStep } from "../apply/plan.js";
import { outputOption, type Registrar, repeatable, withExamples, withNotes } from "../command.js";
import { exitCode } from "../exit-codes.js";
import { isStructured } from "../output/forms.js";
import { codeOfError } from "../output/print-error.js";
import { inTone } from "../output/tones.js";
import { jsonText } from "../output/structured.js";
import { tableOptions } from "../output/table-options.js";
import type { OutputFormat, Session } from "../session.js";
import { missingArgument } from "../words.js";

/** How a resource differs from what is said of it. */
interface Difference {
  readonly manifest: Manifest;
  readonly outcome: "created" | "changed" | "unchanged" | "failed";
  readonly changes: readonly FieldChange[];
  readonly error?: unknown;
}

/** `zor diff -f FILE|DIRECTORY|-`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("diff")
    .description("Show what zor apply would change: each field as it is and as the files have it. Nothing is changed.")
    .addOption(repeatable("-f, --file <path>", "a file, a directory, or - for standard input; may be repeated"))
    .addOption(outputOption(["text", "json", "yaml", "name"], "text"))
    .action(async ({ file, output }: { readonly file: readonly string[]; readonly output: OutputFormat }) => {
      if (file.length === 0) throw missingArgument(command, "--file");
      await diff(open(command), file, output);
    });
  withNotes(
    command,
    "It ends with 0 when everything is as the files have it, with 1 when something differs, and with the codes of zor help exit-codes when something could not be compared. -o name prints what differs.",
  );
  withExamples(command, "zor diff -f lab.yaml", "zor diff -f labs/paris/ -o json", "zor diff -f - < lab.yaml");
}

async function diff(session: Session, files: readonly string[], output: OutputFormat): Promise<void> {
  const manifests = await readManifests(files, session.given);
  const differences: Difference[] = [];
  for (const manifest of ordered(manifests, referencesOf(manifests))) {
    try {
      const step = await planStep(session, manifest);
      differences.push({ manifest, outcome: step.outcome, changes: fieldChanges(manifest, step) });
    } catch (error) {
      session.io.signal.throwIfAborted();
      differences.push({ manifest, outcome: "failed", changes: [], error });
      session.setExitCode(codeOfError(error));
    }
  }
  if (isStructured(output)) {
    const resources = differences.map(({ manifest: { kind, name, place }, outcome, changes, error }) => ({
      ...{ kind: kind.singular, name, place, outcome, changes },
      ...(error === undefined ? {} : { error: messageOf(error) }),
    }));
    await session.printJson(output, { resources });
  } else for (const each of differences) print(session, each, output);
  if (differences.some(({ outcome }) => outcome === "created" || outcome === "changed"))
    session.setExitCode(exitCode.error);
}

function print(session: Session, { manifest, outcome, changes, error }: Difference, output: OutputFormat): void {
  if (outcome === "unchanged") return;
  const { kind, name } = manifest;
  if (output === "name") {
    session.print(escapeText(name));
    return;
  }
  const { color } = tableOptions(session.io, true);
  const line = (sign: "+" | "-", { path }: FieldChange, value: JsonValue | undefined): void => {
    if (value === undefined) return;
    const text = `${sign} ${escapeText(path)}: ${jsonText(value, false)}`;
    session.print(color ? inTone(text, sign === "+" ? "good" : "bad") : text);
  };
  const why = error === undefined ? "" : `: ${messageOf(error)}`;
  const what = outcome === "created" ? "is not there yet" : outcome === "failed" ? "cannot be compared" : "differs";
  session.print(escapeText(`${kind.singular} ${shortName(name)} ${what}${why}`));
  for (const change of changes) {
    line("-", change, change.before);
    line("+", change, change.after);
  }
}
