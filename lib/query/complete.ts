import { allKinds, kindNamed } from "../kinds/kinds.js";
import { enumNames } from "../list/comparison.js";
import { fieldNames } from "../list/field.js";
import { parseQuery } from "./parse.js";
import { parsePath } from "./path.js";
import { placeAtEnd, type QueryPlace } from "./place-at.js";
import type { Dimension } from "./quantity.js";
import { QueryError } from "./query-error.js";
import { fieldWords, findQueryField, type QueryField } from "./query-field.js";
import { sortReader } from "./sort-keys.js";

/** What a query can ask for where it is typed. */
export interface QuerySchema {
  /** Singular kinds; empty: all. */
  readonly kinds: readonly string[];
  /** Fields besides those of the kinds, such as columns of a table. */
  readonly words?: readonly string[];
  /** All that can be sorted by; default: every field that gives an order. */
  readonly sorted?: readonly string[];
  /** False: what is measured is not known there. */
  readonly isMeasured?: boolean;
}

/** Values that a field has in the fleet: the text of a comparison's left side; of "labels" the keys of labels. */
export type KnownValues = (field: string) => readonly string[];

/** What may follow in a query. */
export interface QueryCompletion {
  /** What a choice takes the place of: from this character up to the cursor. */
  readonly from: number;
  /** The likeliest first. */
  readonly choices: readonly string[];
}

const mostChoices = 200;
const nothing: QueryCompletion = { from: 0, choices: [] };
const plainValue = /^(?!')[^\s"()=<>:!,~*]+$/;
const units: Readonly<Record<Dimension, readonly string[]>> = {
  bytes: ["MiB", "GiB", "KiB", "TiB", "MB", "GB"],
  bits: ["Mbit", "Gbit", "kbit"],
  time: ["s", "ms", "m", "h", "d", "us"],
  percent: ["%"],
  number: ["k", "M"],
};
/** Kinds that say best what a word means where all are meant. */
const foremost = ["instance", "host", "link"];

/**
 * What may follow in a query at a cursor: fields, operators, values, units, and the words between them, as the grammar in docs/queries.md has it.
 * Nothing where what stands before it is wrong, or says already what it may.
 */
export function completeQuery(text: string, cursor: number, schema: QuerySchema, values: KnownValues): QueryCompletion {
  const head = text.slice(0, cursor);
  const place = placeAtEnd(head);
  if (place === undefined) return nothing;
  const found = new Completer(schema, values).choices(place);
  const before = head[place.from - 1] ?? " ";
  const isApart = place.from < head.length || /[\s(,!=<>:~]/.test(before);
  const choices = [...new Set(found)]
    .filter((choice) => choice !== place.typed)
    .slice(0, mostChoices)
    .map((choice) => (isApart ? choice : ` ${choice}`));
  return { from: place.from, choices: choices.filter((choice) => isPossible(head.slice(0, place.from), choice)) };
}

/** Whether a text goes on well with a choice: what may be missing is missing behind it. */
function isPossible(before: string, choice: string): boolean {
  try {
    parseQuery(before + choice);
    return true;
  } catch (error) {
    if (error instanceof QueryError) return error.place.from >= before.length;
    throw error;
  }
}

/** The field that a query asks for values of at a cursor: what {@link completeQuery} is told the known ones of. Undefined: it needs none. */
export function valuesWanted(text: string, cursor: number, schema: QuerySchema): string | undefined {
  let wanted: string | undefined;
  completeQuery(text, cursor, schema, (field) => {
    wanted = field;
    return [];
  });
  return wanted;
}

class Completer {
  readonly #schema: QuerySchema;
  readonly #kinds: readonly string[];
  readonly #values: KnownValues;

  constructor(schema: QuerySchema, values: KnownValues) {
    this.#schema = schema;
    this.#values = values;
    const all = allKinds().map(({ singular }) => singular);
    this.#kinds = schema.kinds.length > 0 ? schema.kinds : [...new Set([...foremost, ...all])];
  }

  choices({ expected, typed, field, depth }: QueryPlace): readonly string[] {
    const tail = depth === 0 ? ["sort by", "limit"] : [];
    switch (expected) {
      case "term":
        return [...this.#fields(typed), ...begun(["not", "has", ...tail], typed)];
      case "joint":
        return [
          ...begun(["and", "or", ...tail, ...(depth > 0 ? [")"] : [])], typed),
          ...(typed === "" ? [] : this.#fields(typed)),
        ];
      case "operator":
        return begun([...this.#operators(field), "and", "or", ...tail], typed);
      case "value":
      case "listed":
        return this.#valuesOf(field, typed);
      case "behind listed":
        return [",", ")"];
      case "field":
        return this.#fields(typed);
      case "sort field":
        return this.#sortFields(typed);
      case "behind sort field":
        return begun(["desc", "asc", "limit"], typed);
      case "limit":
        return begun(["10", "20", "50", "100"], typed);
    }
  }

  #find(text: string): QueryField | undefined {
    for (const kind of this.#kinds) {
      try {
        return findQueryField("filter", kindNamed(kind).type, parsePath("filter", text));
      } catch {
        // Another kind may have it.
      }
    }
    return undefined;
  }

  #fields(typed: string): readonly string[] {
    const parts = typed.startsWith('"') ? [] : this.#within(typed);
    const own = begun([...(this.#schema.words ?? []), ...this.#kinds.flatMap((kind) => this.#wordsOf(kind))], typed);
    const field = typed === "" ? undefined : this.#find(typed);
    if (field?.value.type === "message" || /^labels?$/i.test(typed)) return [`${typed}.`, ...parts, ...own];
    // Any text can be the key of a label: one that is not there is taken for the beginning of one that is.
    const isBegun = parts.length > 0 && !parts.includes(typed) && /^labels?\./i.test(typed);
    const next = !isBegun && (own.includes(typed) || field !== undefined) ? this.#operators(typed) : [];
    return [...next.map((sign) => `${typed}${/^\w/.test(sign) ? " " : ""}${sign}`), ...parts, ...own];
  }

  #wordsOf(kind: string): readonly string[] {
    const words = fieldWords(kind);
    if (this.#schema.isMeasured !== false) return words;
    return words.filter((word) => this.#find(word)?.source !== "figures");
  }

  #sortFields(typed: string): readonly string[] {
    const { sorted } = this.#schema;
    return sorted === undefined ? this.#fields(typed).filter((each) => this.#isSortable(each)) : begun(sorted, typed);
  }

  /** Paths that go on behind the last dot of what is typed. */
  #within(typed: string): readonly string[] {
    const dot = typed.indexOf(".");
    if (dot < 0) return [];
    const first = typed.slice(0, dot).toLowerCase();
    if (first === "label" || first === "labels") {
      const keys = [...this.#values("labels")].sort();
      return begun(
        keys.map((key) => `${typed.slice(0, dot)}.${keyText(key)}`),
        typed,
      );
    }
    if (first === "link" && this.#kinds.some((kind) => ["host", "lan", "instance"].includes(kind))) {
      return begun(
        fieldWords("link").map((each) => `link.${each}`),
        typed,
      );
    }
    const outer = typed.slice(0, typed.lastIndexOf("."));
    const { value } = this.#find(outer) ?? {};
    if (value?.type !== "message") return [];
    return begun(
      fieldNames(value.message).map((name) => `${outer}.${name}`),
      typed,
    );
  }

  #operators(text: string): readonly string[] {
    const field = this.#find(text);
    switch (field?.value.type) {
      case "number":
        return [">", "<", ">=", "<=", "=", "!="];
      case "timestamp":
      case "duration":
        return [">", "<", ">=", "<="];
      case "enum":
        return ["=", "!=", "in (", "not in (", "~"];
      case "bool":
        return ["=", "!="];
      case "map":
      case "message":
      case "bytes":
        return [":"];
      case "text":
        return ["=", "!=", "~", ":", "in (", "not in (", "!~"];
      default:
        return this.#schema.words?.includes(text) === true ? ["=", "!=", "~", ":", "=="] : [];
    }
  }

  #valuesOf(text: string, typed: string): readonly string[] {
    const field = this.#find(text);
    const number = /^[+-]?\d+(?:\.\d+)?(?=[A-Za-z%]*$)/.exec(typed)?.[0];
    if (field?.unit !== undefined && field.value.type === "number") {
      return number === undefined
        ? []
        : begun(
            units[field.unit.dimension].map((unit) => `${number}${unit}`),
            typed,
          );
    }
    if (field?.value.type === "duration" && number !== undefined) {
      return begun(
        units.time.map((unit) => `${number}${unit}`),
        typed,
      );
    }
    const isQuoted = /^["']/.test(typed);
    const wanted = isQuoted ? typed.slice(1).replace(/\\(.)/g, "$1") : typed;
    const known = begun(this.#known(text, field), wanted);
    if (typed.startsWith("'")) return known.map((each) => `'${each.replace(/[\\']/g, "\\$&")}'`);
    return known.map((each) => (plainValue.test(each) && !isQuoted ? each : JSON.stringify(each)));
  }

  #known(text: string, field: QueryField | undefined): readonly string[] {
    if (field === undefined) return this.#values(text);
    const { value, choices } = field;
    if (choices !== undefined) return choices.filter((each) => each.length > 2);
    if (value.type === "enum") {
      // What is not set is nothing that people ask for.
      return enumNames(value.values).flatMap(({ name, number }) => (number === 0 ? [] : [name.toLowerCase()]));
    }
    if (value.type === "bool") return ["true", "false"];
    if (value.type === "map") return this.#values("labels");
    return value.type === "text" ? this.#values(text) : [];
  }

  #isSortable(text: string): boolean {
    try {
      const field = this.#find(text);
      if (field !== undefined) sortReader("filter", field);
      return field !== undefined;
    } catch {
      return false;
    }
  }
}

/** Those that begin with what is typed, in whatever case. */
function begun(choices: readonly string[], typed: string): readonly string[] {
  const lower = typed.toLowerCase();
  return choices.filter((choice) => choice.toLowerCase().startsWith(lower));
}

/** A key of a label as it stands behind a dot. */
function keyText(key: string): string {
  return /^[^\s"()=<>:!~,.]+(?:\.[^\s"()=<>:!~,.]+)*$/.test(key) ? key : JSON.stringify(key);
}
