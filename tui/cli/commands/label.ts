import { status } from "@grpc/grpc-js";
import { failedPrecondition, invalidArgument, notFound, ZorError } from "../../../lib/errors.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import { codecOf } from "../../../lib/kinds/codecs.js";
import { quote } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { updateResource } from "../change.js";
import { asChosen, type ChosenOptions, chosenNames } from "../chosen.js";
import {
  dryRunOption,
  KindArgument,
  type Registrar,
  ResourceArgument,
  responseOutput,
  withExamples,
} from "../command.js";
import { forEachName } from "../for-each-name.js";
import { getResource, parseKind } from "../kinds.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

/** What the commands are about. */
interface Topic {
  readonly field: "labels" | "annotations";
  /** "label" */
  readonly one: string;
  readonly done: string;
  readonly description: string;
  readonly examples: readonly string[];
}

const topics: Readonly<Record<string, Topic>> = {
  label: {
    field: "labels",
    one: "label",
    done: "labelled",
    description: "Set labels of resources (KEY=VALUE), or take them away (KEY-). Labels can be listed and filtered by.",
    examples: [
      "zor label instance alpha/vm1 role=web owner=ana",
      "zor label instance alpha/vm1 role=db --overwrite",
      "zor label instance alpha/vm1 role-",
      "zor label lans --all site=paris",
      "zor label instances --filter 'labels.role = web' tier=front",
      "zor label instances --selector lab=paris owner=ana",
    ],
  },
  annotate: {
    field: "annotations",
    one: "annotation",
    done: "annotated",
    description:
      "Set notes of resources (KEY=VALUE), or take them away (KEY-). Notes are longer than labels and not searched.",
    examples: ["zor annotate link demo why='lab 3 until June'", "zor annotate host alpha why-"],
  },
};

interface LabelOptions extends ChosenOptions {
  readonly output: OutputFormat;
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
}

/** `zor label KIND NAME... KEY=VALUE... KEY-...`, and `zor annotate`. */
export function define({ program, open }: Registrar, name: string): void {
  const topic = topics[name];
  if (topic === undefined) throw new Error(`${name} is not about labels`);
  const command = program
    .command(name)
    .description(topic.description)
    .usage("[options] KIND NAME... KEY=VALUE... KEY-...")
    .addArgument(new KindArgument("<kind>", "kind of the resources", "update"))
    .addArgument(new ResourceArgument("<names...>", `the resources, and then the ${topic.field}`))
    .option("--overwrite", "also change what has another value already");
  asChosen(command)
    .addOption(dryRunOption("only check the requests"))
    .addOption(responseOutput())
    .action(async (word: string, words: string[], options: LabelOptions) => {
      const kind = parseKind(word, "update");
      if (!(topic.field in codecOf(kind.singular).fromPartial({}))) {
        throw invalidArgument("kind", `${kind.plural} have no ${topic.field}`);
      }
      const { names, changes } = parseWords(topic, words);
      const session = open(command);
      const given = await chosenNames(session, kind, names, options);
      const targets = await Promise.all(given.map((text) => resolveName(session, kind, text, options.host)));
      await forEachName(session, targets, options.output, (target, part) =>
        change(session, { topic, kind, name: target, changes, options, part }),
      );
    });
  withExamples(command, ...topic.examples);
}

/** New values by key; undefined: it is taken away. */
type Changes = ReadonlyMap<string, string | undefined>;

function parseWords(
  { one, field }: Topic,
  words: readonly string[],
): { readonly names: readonly string[]; readonly changes: Changes } {
  const names: string[] = [];
  const changes = new Map<string, string | undefined>();
  for (const word of words) {
    const at = word.indexOf("=");
    const isRemoval = at < 0 && word.endsWith("-") && !word.includes("/");
    if (at < 0 && !isRemoval) {
      if (changes.size > 0) throw invalidArgument("name", `${quote(word)} stands after the ${field}: names come first`);
      names.push(word);
      continue;
    }
    const key = isRemoval ? word.slice(0, -1) : word.slice(0, at);
    if (key === "") throw invalidArgument(one, `${quote(word)} has no key: write KEY=VALUE, or KEY- to take it away`);
    if (changes.has(key)) throw invalidArgument(one, `${quote(key)} is given twice`);
    changes.set(key, isRemoval ? undefined : word.slice(at + 1));
  }
  if (changes.size === 0) throw invalidArgument(one, `say which ${one}: KEY=VALUE, or KEY- to take it away`);
  return { names, changes };
}

interface Change {
  readonly topic: Topic;
  readonly kind: Kind;
  readonly name: string;
  readonly changes: Changes;
  readonly options: LabelOptions;
  readonly part: number | undefined;
}

/** So often a resource is read again that others change meanwhile. */
const tries = 5;

async function change(session: Session, what: Change): Promise<void> {
  for (let left = tries; ; left--) {
    try {
      await changeOnce(session, what);
      return;
    } catch (error) {
      // Whether anything would be overwritten is looked at anew.
      const lostRace = error instanceof ZorError && error.code === status.ABORTED;
      // A request id that was given stands for one request.
      const isFinal = left <= 1 || session.options.requestId !== undefined || session.io.signal.aborted;
      if (!lostRace || isFinal) throw error;
    }
  }
}

async function changeOnce(session: Session, { topic, kind, name, changes, options, part }: Change): Promise<void> {
  const etag = options.overwrite === true ? "" : await checkOverwritten(session, { topic, kind, name, changes });
  const values = Object.fromEntries([...changes].filter(([, value]) => value !== undefined));
  const { method, response } = await updateResource(session, kind, {
    name,
    change: { resource: { [topic.field]: values }, paths: [...changes.keys()].map((key) => `${topic.field}.${key}`) },
    etag,
    dryRun: options.dryRun === true,
    part,
  });
  await session.printResponse(options.output, method, response, () => {
    if (options.output === "name") return escapeText(name);
    const done = options.dryRun === true ? `could be ${topic.done}; nothing was changed` : topic.done;
    return escapeText(`${kind.singular} ${shortName(name)} ${done}`);
  });
}

/** The etag of a resource of which nothing would be overwritten. @throws {ZorError} FAILED_PRECONDITION when something would be. */
async function checkOverwritten(
  session: Session,
  { topic, kind, name, changes }: Pick<Change, "topic" | "kind" | "name" | "changes">,
): Promise<string> {
  const resource = await getResource(await session.connect(), kind, name, session.readOptions());
  if (resource === undefined) throw notFound(name);
  // Kinds with labels have an etag as well.
  const current = new Map(Object.entries(Object(Reflect.get(resource.value, topic.field)) as Record<string, string>));
  const taken = [...changes].filter(([key, value]) => value !== undefined && (current.get(key) ?? value) !== value);
  if (taken.length === 0) return String(Reflect.get(resource.value, "etag") ?? "");
  const values = taken.map(([key]) => `${key}=${current.get(key) ?? ""}`);
  throw failedPrecondition(
    "WOULD_OVERWRITE",
    name,
    `${shortName(name)} has ${listed(values)} already; add --overwrite to change ${taken.length === 1 ? "it" : "them"}`,
  );
}
