import { status } from "@grpc/grpc-js";
import type { JsonValue } from "@bufbuild/protobuf";
import { messageOf, notFound, ZorError } from "../../../lib/errors.js";
import { bytesToJson } from "../../../lib/grpc/json.js";
import { codecOf, type NamedMessage } from "../../../lib/kinds/codecs.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import { applyMask, changedPaths } from "../../../lib/kinds/mask.js";
import { listed } from "../../../lib/words.js";
import { idOf, shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { updateResource } from "../change.js";
import { KindArgument, type Registrar, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { EditedFile, withNotes, withoutNotes } from "../editor.js";
import { parseResource } from "../input/resource-file.js";
import { commandsOf } from "../kind-commands.js";
import { getResource, parseKind } from "../kinds.js";
import { yamlText } from "../output/structured.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface EditOptions {
  readonly output: OutputFormat;
  readonly host?: string;
}

/** `zor edit KIND NAME`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("edit")
    .description(
      "Change a resource in your editor ($VISUAL, else $EDITOR, else vi): what can be changed of it, as YAML. Only what you changed is sent, and only if it still is as you saw it; when somebody was faster, both changes are merged, or shown where they clash. An empty or unchanged file changes nothing.",
    )
    .addArgument(new KindArgument("<kind>", "kind of the resource", "update"))
    .addArgument(new ResourceArgument("<name>", "the resource"))
    .option("--host <host>", "the host of a name without one")
    .addOption(responseOutput())
    .action(async (word: string, text: string, options: EditOptions) => {
      const session = open(command);
      const kind = parseKind(word, "update");
      const name = await resolveName(session, kind, text, options.host);
      const fields = (await commandsOf(kind)).changeable ?? ["labels", "annotations", "spec"];
      await using file = await EditedFile.create(`${idOf(name)}.yaml`, session.io.env);
      await new Editing(session, { kind, name, fields, file, options }).run();
    });
  withExamples(command, "zor edit link demo", "zor edit lan alpha/lan1", "EDITOR='code --wait' zor edit host alpha");
}

interface Subject {
  readonly kind: Kind;
  readonly name: string;
  /** Top-level fields that can be changed, in snake_case. */
  readonly fields: readonly string[];
  readonly file: EditedFile;
  readonly options: EditOptions;
}

/** What was saved, and how it differs from what it is based on. */
interface Edited {
  readonly text: string;
  readonly resource: NamedMessage;
  readonly paths: readonly string[];
}

/** One `zor edit`: as many rounds in the editor as it takes. */
class Editing {
  readonly #session: Session;
  readonly #subject: Subject;

  constructor(session: Session, subject: Subject) {
    this.#session = session;
    this.#subject = subject;
  }

  async run(): Promise<void> {
    let base = await this.#read();
    let text = await this.#textOf(base);
    /** Why it is edited once more; the first time there is no reason. */
    let why: Why | undefined;
    for (;;) {
      const saved = withoutNotes(await this.#subject.file.edit(withNotes(this.#notes(why), text)));
      this.#session.io.signal.throwIfAborted();
      if (saved === "") return this.#nothing("the file is empty");
      if (saved === text && why?.error !== undefined) throw this.#giveUp(why.error);
      // What was merged is sent as it is when nothing is changed any more.
      if (saved === text && why === undefined) return this.#nothing("the file was not changed");
      text = saved;
      try {
        const edited = this.#parse(saved, base);
        if (edited.paths.length === 0) return this.#nothing("there is no difference");
        const clash = await this.#send(edited, base);
        if (clash === undefined) return;
        base = clash.base;
        text = await this.#textOf(clash.merged);
        why = { notes: clash.notes };
      } catch (error) {
        if (!isMendable(error)) throw this.#giveUp(error);
        why = { notes: [messageOf(error)], error };
      }
    }
  }

  async #read(): Promise<NamedMessage> {
    const { kind, name } = this.#subject;
    const resource = await getResource(await this.#session.connect(), kind, name, this.#session.readOptions());
    if (resource === undefined) throw notFound(name);
    return resource.value;
  }

  #parse(text: string, base: NamedMessage): Edited {
    const { kind } = this.#subject;
    const resource = parseResource(kind, "the file", text);
    return { text, resource, paths: changedPaths(kind.singular, this.#editable(base), resource) };
  }

  /**
   * Sends what was changed; when others were faster and changed something else, again. Resolves to the clash when they changed the
   * same; undefined: it is done.
   */
  async #send({ resource, paths }: Edited, first: NamedMessage): Promise<Clash | undefined> {
    const { kind, name, options } = this.#subject;
    let base = first;
    for (;;) {
      try {
        const etag = etagOf(base);
        const call = { name, change: { resource, paths }, etag, dryRun: false };
        const { method, response } = await updateResource(this.#session, kind, call);
        await this.#session.printResponse(options.output, method, response, () =>
          escapeText(
            options.output === "name" ? name : `${kind.singular} ${shortName(name)} edited: ${listed(paths, 8)}`,
          ),
        );
        return undefined;
      } catch (error) {
        if (!(error instanceof ZorError) || error.reason !== "ETAG_MISMATCH") throw error;
        const now = await this.#read();
        const theirs = changedPaths(kind.singular, this.#editable(base), this.#editable(now));
        const merged = this.#merge(now, resource, paths);
        const wanted = changedPaths(kind.singular, this.#editable(now), this.#editable(merged));
        const both = theirs.filter((path) => wanted.some((mine) => overlap(mine, path)));
        const who = error.metadata["changedBy"] || "somebody";
        this.#session.note(
          escapeText(
            `${shortName(name)} was changed meanwhile by ${who}: ${listed(theirs, 8) || "nothing that can be edited"}`,
          ),
        );
        if (both.length > 0) return this.#clash({ merged, both, base, now, who });
        base = now;
      }
    }
  }

  #merge(current: NamedMessage, wanted: NamedMessage, mask: readonly string[]): NamedMessage {
    const { kind, fields } = this.#subject;
    return applyMask({ kind: kind.singular, current, wanted, mask, changeable: fields });
  }

  #clash({ merged, both, base, now, who }: ClashFacts): Clash {
    const lines = both.map((path) => {
      const textOf = (resource: NamedMessage): string => this.#valueText(resource, path);
      return `  ${path}: it was ${textOf(base)}, ${who} made it ${textOf(now)}, you ${textOf(merged)}`;
    });
    return {
      base: now,
      merged,
      notes: [
        `${who} has changed this meanwhile. What follows holds both changes; where they clash, it is yours:`,
        ...lines,
        "Save it to send it, change it, or empty it to leave everything as it is now.",
      ],
    };
  }

  #valueText(resource: NamedMessage, path: string): string {
    const segments = path.split(".");
    let value: JsonValue | undefined = this.#json(resource);
    for (let at = 0; at < segments.length && typeof value === "object" && value !== null; at++) {
      const whole = Object(value) as Record<string, JsonValue>;
      // Keys of labels hold dots.
      const rest = segments.slice(at).join(".");
      if (Object.hasOwn(whole, rest)) return JSON.stringify(whole[rest]);
      value = whole[camelCase(segments[at] ?? "")];
    }
    return value === undefined ? "unset" : JSON.stringify(value);
  }

  /** A resource with nothing but what can be changed. */
  #editable(resource: NamedMessage): NamedMessage {
    const entries = this.#subject.fields.map((field) => {
      const name = camelCase(field);
      return [name, Reflect.get(resource, name)] as const;
    });
    return codecOf(this.#subject.kind.singular).fromPartial(Object.fromEntries(entries));
  }

  #json(resource: NamedMessage): JsonValue {
    const { kind } = this.#subject;
    const bytes = codecOf(kind.singular).encode(this.#editable(resource)).finish();
    return bytesToJson(kind.type, bytes);
  }

  async #textOf(resource: NamedMessage): Promise<string> {
    const { fields } = this.#subject;
    const maps = ["labels", "annotations"]
      .filter((field) => fields.includes(field))
      .map((field) => [field, {}] as const);
    const yaml = await yamlText({ ...Object.fromEntries(maps), ...Object(this.#json(resource)) });
    return yaml.replace(/^---\n/, "").trim();
  }

  #notes(why: Why | undefined): readonly string[] {
    const { kind, name } = this.#subject;
    const reason = why === undefined ? [] : [...why.notes, ""];
    return [
      ...reason,
      `What can be changed of ${kind.singular} ${shortName(name)}. Lines that begin with # say something and are left out.`,
      "Only what you change is sent. An empty or unchanged file changes nothing.",
    ];
  }

  #nothing(why: string): void {
    this.#session.note(`nothing was changed: ${why}`);
  }

  /** The work of the person is not lost with the error. */
  #giveUp(error: unknown): unknown {
    const { file } = this.#subject;
    file.keep();
    this.#session.note(escapeText(`nothing was changed; what you wrote is kept in ${file.path}`));
    return error;
  }
}

interface Why {
  readonly notes: readonly string[];
  /** What is wrong with what was saved. */
  readonly error?: unknown;
}

interface ClashFacts {
  /** As it is now, with what was edited. */
  readonly merged: NamedMessage;
  /** Paths that both have changed. */
  readonly both: readonly string[];
  readonly base: NamedMessage;
  readonly now: NamedMessage;
  readonly who: string;
}

/** Two changed the same. */
interface Clash {
  /** As it is now. */
  readonly base: NamedMessage;
  /** As it is now, with what was edited. */
  readonly merged: NamedMessage;
  readonly notes: readonly string[];
}

/** Errors that another round in the editor can mend. */
function isMendable(error: unknown): boolean {
  return (
    error instanceof ZorError &&
    [status.INVALID_ARGUMENT, status.FAILED_PRECONDITION, status.NOT_FOUND].includes(error.code)
  );
}

function overlap(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);
}

function etagOf(resource: NamedMessage): string {
  return String(Reflect.get(resource, "etag") ?? "");
}

function camelCase(field: string): string {
  return field.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
