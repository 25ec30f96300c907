import type { Command } from "commander";
import { invalidArgument, notFound } from "../../../lib/errors.js";
import { type Kind, livesOnHosts } from "../../../lib/kinds/kinds.js";
import { parsePairs } from "../../kit/input/key-values.js";
import type { Change, FlagValues, SetCommand } from "../../kit/kind-commands.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { updateResource } from "../change.js";
import {
  dryRunOption,
  flagOption,
  type Registrar,
  repeatable,
  ResourceArgument,
  responseOutput,
  withExamples,
  withNotes,
} from "../command.js";
import { parseFieldsOf, withFields } from "../input/fields-of-kind.js";
import { commandsOf } from "../kind-commands.js";
import { getResource, kindsWith } from "../kinds.js";
import { resolveName, resolveWord } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";
import { pathOf } from "../words.js";

/** `zor set KIND NAME`, for every kind of which the API can change resources. */
export async function define({ program, open }: Registrar): Promise<void> {
  const set = program
    .command("set")
    .description("Change what is there while it runs: what is said, and nothing else.")
    .helpCommand(false);
  for (const kind of kindsWith("update")) await defineSet(set, open, kind);
}

/** Options of all kinds. */
interface SetOptions {
  readonly output: OutputFormat;
  readonly label: readonly string[];
  readonly annotation: readonly string[];
  readonly etag?: string;
  readonly dryRun?: boolean;
}

/** Adds the command that changes a resource of a kind. @param word its name, when it is not the kind's. */
export async function defineSet(
  parent: Command,
  open: Registrar["open"],
  kind: Kind,
  word = kind.singular,
): Promise<void> {
  const { singular } = kind;
  const own = (await commandsOf(kind)).set ?? genericSet(kind);
  const command = parent
    .command(word)
    .description(own.description)
    .addArgument(new ResourceArgument("<name>", livesOnHosts(kind) ? "HOST/NAME" : `name of the ${singular}`, singular))
    .argument("[field=value...]", "any field, by its name in the API; nothing after = clears it");
  for (const flag of own.flags) command.addOption(flagOption(flag));
  command
    .addOption(repeatable("--label <key=value>", "set a label; an empty value takes it away; may be repeated"))
    .addOption(repeatable("--annotation <key=value>", "set a note; an empty value takes it away; may be repeated"))
    .option("--etag <etag>", "only if it is still as it was when it had this etag")
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (text: string, fields: string[]) => {
      const [values, options] = [command.opts<FlagValues>(), command.opts<SetOptions>()];
      await set(open(command), { kind, own, text, fields, values, options });
    });
  if (own.note !== undefined) withNotes(command, own.note);
  withExamples(command, ...own.examples.map((example) => `${pathOf(command)} ${example}`));
}

/** Of a kind that says nothing itself. */
function genericSet(kind: Kind): SetCommand {
  const { singular } = kind;
  const name = livesOnHosts(kind) ? "alpha/name1" : "name1";
  return {
    description: `Change ${/^[aeiou]/.test(singular) ? "an" : "a"} ${singular}. What is not said stays.`,
    flags: [],
    examples: [`${name} --label site=lab1`, `${name} labels.site=lab1`],
    read: () => ({ resource: {}, paths: [] }),
  };
}

interface Setting {
  readonly kind: Kind;
  readonly own: SetCommand;
  readonly text: string;
  readonly fields: readonly string[];
  readonly values: FlagValues;
  readonly options: SetOptions;
}

async function set(session: Session, setting: Setting): Promise<void> {
  const { kind, own, text, values, options } = setting;
  // What is wrong with the flags is told before anything is asked.
  parseFieldsOf(kind, "field", setting.fields);
  const name = await resolveName(session, kind, text);
  const change = await readChange(session, setting, name);
  if (change.paths.length === 0) {
    throw invalidArgument(
      "flags",
      `nothing is said to change; fields are given as FIELD=VALUE, such as labels.site=lab1`,
    );
  }
  const isChecked = options.dryRun === true;
  const { etag = change.etag ?? "" } = options;
  const { method, response, resource } = await updateResource(session, kind, { name, change, etag, dryRun: isChecked });
  await session.printResponse(options.output, method, response, () => {
    if (options.output === "name") return escapeText(name);
    const [head, checked] = [`${kind.singular} ${shortName(name)}`, "could be changed; nothing was changed"];
    return escapeText(
      isChecked ? `${head} ${checked}` : (own.done?.({ name, values, resource, response }) ?? `${head} changed`),
    );
  });
}

async function readChange(session: Session, setting: Setting, name: string): Promise<Change> {
  const { kind, own, fields, values, options } = setting;
  const resolve = (of: string, text: string): Promise<string> => resolveWord(session, of, text, hostOf(name));
  const current = async (): Promise<object> => {
    const resource = await getResource(await session.connect(), kind, name, session.readOptions());
    if (resource === undefined) throw notFound(name);
    return resource.value;
  };
  const said = await own.read({ name, values, words: [], current, resolve });
  const labels = pairs("--label", options.label);
  const annotations = pairs("--annotation", options.annotation);
  const resource = withFields(
    kind,
    { ...said.resource, labels: labels.set, annotations: annotations.set },
    "field",
    fields,
  );
  const paths = [
    ...said.paths,
    ...labels.keys.map((key) => `labels.${key}`),
    ...annotations.keys.map((key) => `annotations.${key}`),
    ...parseFieldsOf(kind, "field", fields).map(({ path }) => path),
  ];
  const { etag } = said;
  return { resource, paths: [...new Set(paths)], ...(etag === undefined ? {} : { etag }) };
}

/** Entries of a map that are named, and those of them that have a value. */
function pairs(option: string, texts: readonly string[]): { keys: readonly string[]; set: Record<string, string> } {
  const all = parsePairs(option, texts);
  return {
    keys: Object.keys(all),
    set: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== "")),
  };
}
