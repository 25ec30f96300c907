import type { Kind } from "../../../lib/kinds/kinds.js";
import { kindNamed, livesOnHosts } from "../../../lib/kinds/kinds.js";
import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { codecOf, type NamedMessage } from "../../../lib/kinds/codecs.js";
import { unpack } from "../../../lib/kinds/resource.js";
import { requestOf, responseField } from "../../../lib/kinds/verbs.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { parsePairs } from "../../kit/input/key-values.js";
import { type CreateCommand, type FlagValues, isFlagGiven, type Outcome } from "../../kit/kind-commands.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { asMethod } from "../change.js";
import {
  dryRunOption,
  flagOption,
  noWaitOption,
  type Registrar,
  repeatable,
  ResourceArgument,
  responseOutput,
  waitOption,
  withExamples,
  withNotes,
} from "../command.js";
import { withFields } from "../input/fields-of-kind.js";
import { commandsOf } from "../kind-commands.js";
import { getResource, kindsWith, standardMethod } from "../kinds.js";
import { type NewName, parseNewName, resolveWord } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";
import { missingArgument, pathOf } from "../words.js";

/** `zor create KIND NAME`, for every kind of which the API can create resources. */
export async function define({ program, open }: Registrar): Promise<void> {
  const create = program
    .command("create")
    .description("Create a resource: from flags, from any of its fields (--set), or from a file (-f).")
    .helpCommand(false);
  for (const kind of kindsWith("create")) await defineCreate(create, open, kind);
}

/** Options of all kinds. */
interface CreateOptions {
  readonly output: OutputFormat;
  readonly file?: string;
  readonly set: readonly string[];
  readonly label: readonly string[];
  readonly annotation: readonly string[];
  readonly wait?: boolean;
  readonly dryRun?: boolean;
}

/** Adds the command that creates resources of a kind. @param word its name, when it is not the kind's. */
export async function defineCreate(
  parent: Command,
  open: Registrar["open"],
  kind: Kind,
  word = kind.singular,
): Promise<void> {
  const { singular, plural } = kind;
  const own = await createOf(kind);
  const { rule } = standardMethod(kind, "create");
  const command = parent.command(word).description(own.description);
  const { words = [] } = own;
  const needed = words.filter((each) => each.word.startsWith("<"));
  const name = livesOnHosts(kind) ? "HOST/NAME" : `name of the ${singular}`;
  const unsaid = own.nameOf === undefined ? "with -f it may stand in the file" : "it may be left out";
  command.argument("[name]", `${name}; ${unsaid}`);
  // What is needed is not needed with a file.
  for (const each of words) {
    command.addArgument(new ResourceArgument(each.word.replace(/^<(.*)>$/, "[$1]"), each.help, each.kind));
  }
  const nameWord = own.nameOf === undefined ? "<name>" : "[name]";
  if (needed.length > 0) command.usage(`[options] ${nameWord} ${needed.map((each) => each.word).join(" ")}`);
  for (const flag of own.flags) command.addOption(flagOption(flag));
  command
    .option("-f, --file <file>", `YAML or JSON in the form zor get ${plural} -o yaml shows; - is standard input`)
    .addOption(repeatable("--set <field=value>", "any field, by its name in the API; may be repeated"))
    .addOption(repeatable("--label <key=value>", "free-form label; may be repeated"))
    .addOption(repeatable("--annotation <key=value>", "free-form note; may be repeated"));
  if (rule.response === "operation") command.addOption(waitOption()).addOption(noWaitOption());
  command
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (text: string | undefined, ...rest: unknown[]) => {
      let given = rest
        .slice(0, words.length)
        .flat()
        .filter((each) => each !== undefined);
      const options = command.opts<CreateOptions>();
      if (text !== undefined && own.nameOf !== undefined && given.length + 1 === needed.length) {
        given = [text, ...given];
        text = own.nameOf(given.map(String), command.opts<FlagValues>());
      }
      if (options.file === undefined) {
        if (text === undefined) throw missingArgument(command, "name");
        const missing = needed[given.length];
        if (missing !== undefined) throw missingArgument(command, missing.word.slice(1, -1));
      }
      const said = { words: given.map(String), values: command.opts<FlagValues>() };
      const meant = own.kindOf?.(said.words, said.values);
      const other = meant === undefined ? undefined : kindNamed(meant);
      const made = other === undefined ? { kind, own } : { kind: other, own: await createOf(other) };
      await create(open(command), { ...made, ...said, text, options });
    });
  if (own.note !== undefined) withNotes(command, own.note);
  withExamples(command, ...own.examples.map((example) => `${pathOf(command)} ${example}`));
}

async function createOf(kind: Kind): Promise<CreateCommand> {
  return (await commandsOf(kind)).create ?? genericCreate(kind);
}

/** Of a kind that says nothing itself. */
function genericCreate(kind: Kind): CreateCommand {
  const { singular } = kind;
  const name = livesOnHosts(kind) ? "alpha/new1" : "new1";
  return {
    description: `Create ${/^[aeiou]/.test(singular) ? "an" : "a"} ${singular} from its fields, or from a file.`,
    flags: [],
    examples: [`${name} --label site=lab1`, `${name} -f ${singular}.yaml`],
    read: () => ({}),
  };
}

interface Creation {
  readonly kind: Kind;
  readonly own: CreateCommand;
  readonly text: string | undefined;
  readonly words: readonly string[];
  readonly values: FlagValues;
  readonly options: CreateOptions;
}

async function create(session: Session, creation: Creation): Promise<void> {
  const { kind, own, text, values, options } = creation;
  // What is wrong with the name is told before what is missing of the rest.
  const said = text === undefined ? undefined : parseNewName(text, kind);
  const { name, id, parent, resource } = await readResource(session, creation, said);
  const { method, rule } = standardMethod(kind, "create");
  const isChecked = options.dryRun === true;
  const wanted = codecOf(kind.singular).fromPartial(resource);
  const request = requestOf(method, {
    ...(rule.route === "parent" ? { parent } : {}),
    [rule.id ?? `${kind.singular}Id`]: id,
    [rule.request ?? kind.singular]: wanted,
    ...own.request?.(values),
    requestId: session.requestId(),
    validateOnly: isChecked,
  });
  const takesTime = rule.response === "operation";
  const answer = Object(await session.call(asMethod({ method }), request, takesTime ? undefined : 30_000));
  const waits = takesTime && options.wait !== false && !isChecked;
  const title = own.making?.(name, wanted) ?? `creating ${shortName(name)}`;
  const response = waits ? { ...answer, operation: await session.follow(operationOf(answer), title) } : answer;
  const isText = options.output === "text";
  const isMade = !isChecked && (waits || !takesTime);
  const outcome = isText && isMade ? await outcomeOf(session, { kind, name, values, response }) : undefined;
  const line =
    outcome === undefined
      ? `${kind.singular} ${shortName(name)} ${isChecked ? "could be created; nothing was changed" : "is being created; see: zor get operations"}`
      : (own.done?.(outcome) ?? `${kind.singular} ${shortName(name)} created`);
  await session.printResponse(options.output, asMethod({ method }), response, () => escapeText(isText ? line : name));
  if (outcome === undefined) return;
  for (const note of own.notes?.(outcome) ?? []) session.note(escapeText(note));
}

interface Answer {
  readonly kind: Kind;
  readonly name: string;
  readonly values: FlagValues;
  readonly response: object;
}

async function outcomeOf(session: Session, { kind, name, values, response }: Answer): Promise<Outcome> {
  const { rule } = standardMethod(kind, "create");
  const takesTime = rule.response === "operation";
  const resource = takesTime
    ? await made(session, kind, name, response)
    : (responseField(response, rule.response) as NamedMessage | undefined);
  return { name, values, response, resource };
}

/** The resource as the operation that made it tells, else as it is now. */
async function made(session: Session, kind: Kind, name: string, response: object): Promise<NamedMessage | undefined> {
  const packed = operationOf(response)?.result;
  const result = packed === undefined ? undefined : unpack(packed);
  if (result !== undefined && result.kind === kind.singular) return result.value;
  return (await getResource(await session.connect(), kind, name, session.readOptions()))?.value;
}

function operationOf(response: object): Operation | undefined {
  // Where the rule says so, the field holds one.
  return responseField(response, "operation") as Operation | undefined;
}

async function readResource(
  session: Session,
  { kind, own, words, values, options }: Creation,
  said: NewName | undefined,
): Promise<NewName & { readonly resource: object }> {
  if (options.file !== undefined) {
    refuseBesidesFile(kind, own, values, words);
    const { resourceFromFile } = await import("../input/resource-file.js");
    const resource = await resourceFromFile(kind, options.file, session.given);
    return { ...(said ?? parseNewName(resource.name, kind)), resource };
  }
  const name = said ?? parseNewName("", kind);
  const resolve = (of: string, text: string): Promise<string> => resolveWord(session, of, text, hostOf(name.name));
  // There is nothing yet.
  const current = async (): Promise<object> => ({});
  const described = await own.read({ name: name.name, values, words, current, resolve });
  const labels = parsePairs("--label", options.label);
  const annotations = parsePairs("--annotation", options.annotation);
  return { ...name, resource: withFields(kind, { ...described, labels, annotations }, "--set", options.set) };
}

/** @throws {ZorError} INVALID_ARGUMENT when what describes the resource is given besides the file. */
function refuseBesidesFile({ singular }: Kind, own: CreateCommand, values: FlagValues, words: readonly string[]): void {
  const describing = own.flags.filter(
    ({ besides, default: usual, ...flag }) => besides !== true && isFlagGiven(values, flag, usual),
  );
  const general = ["set", "label", "annotation"].filter((name) => isFlagGiven(values, { flags: `--${name}` }));
  if (words.length + describing.length + general.length === 0) return;
  throw invalidArgument("--file", `with a file, the ${singular} is described by the file alone`);
}
