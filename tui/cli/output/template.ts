import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { memberOf } from "./json-value.js";
import { isTrue, templateFunctions, text as textOf, Written } from "./template-functions.js";

/** Where a template is: what "." and "$" mean, and the variables there. */
interface Scope {
  readonly dot: unknown;
  readonly variables: ReadonlyMap<string, unknown>;
}

type Evaluate = (scope: Scope) => unknown;
type Node = (scope: Scope) => string;

/** A piece of a template: text, or what stands between "{{" and "}}". */
interface Piece {
  readonly text: string;
  readonly isAction: boolean;
  readonly at: number;
}

/**
 * Reads a template in the manner of Go's text/template: fields, variables in range, pipes, if, else, with, range, and the functions of
 * template-functions.ts. Names are those that -o json shows; snake_case does as well.
 * @throws {ZorError} INVALID_ARGUMENT that says where it goes wrong.
 */
export function parseTemplate(source: string): (value: unknown) => string {
  const reader = new BlockReader(source, piecesOf(source));
  const { nodes, end } = reader.block();
  if (end !== undefined) throw broken(source, end.at, `{{${end.text}}} without what it ends`);
  return (value) => run(nodes, { dot: value, variables: new Map([["$", value]]) });
}

function run(nodes: readonly Node[], scope: Scope): string {
  return nodes.map((node) => node(scope)).join("");
}

/** Splits a template; "{{-" takes the white space before it away, "-}}" that after it. */
function piecesOf(source: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trims = false;
  const addText = (text: string, from: number): void => {
    const rest = trims ? text.trimStart() : text;
    if (rest !== "") pieces.push({ text: rest, isAction: false, at: from });
  };
  for (;;) {
    const open = source.indexOf("{{", at);
    if (open < 0) break;
    const close = /^\{\{-?(?:"(?:[^"\\]|\\.)*"|`[^`]*`|\/\*.*?\*\/|(?!\}\}).)*?\}\}/s.exec(source.slice(open))?.[0];
    if (close === undefined) throw broken(source, open, 'this "{{" is never closed');
    const before = source.slice(at, open);
    addText(close.startsWith("{{-") ? before.trimEnd() : before, at);
    trims = close.endsWith("-}}");
    const inner = close.slice(close.startsWith("{{-") ? 3 : 2, trims ? -3 : -2).trim();
    if (!inner.startsWith("/*")) pieces.push({ text: inner, isAction: true, at: open });
    at = open + close.length;
  }
  addText(source.slice(at), at);
  return pieces;
}

const variableForm = /^(?:(\$\w+)\s*(?:,\s*(\$\w+)\s*)?:?=\s*)?(.*)$/s;

/** Reads pieces into nodes. */
class BlockReader {
  readonly #source: string;
  readonly #pieces: readonly Piece[];
  #next = 0;

  constructor(source: string, pieces: readonly Piece[]) {
    this.#source = source;
    this.#pieces = pieces;
  }

  /** The nodes up to an {{end}} or {{else}}, and that. */
  block(): { readonly nodes: readonly Node[]; readonly end: Piece | undefined } {
    const nodes: Node[] = [];
    for (let piece = this.#take(); piece !== undefined; piece = this.#take()) {
      if (!piece.isAction) {
        const { text } = piece;
        nodes.push(() => text);
      } else if (/^(?:end$|else\b)/.test(piece.text)) return { nodes, end: piece };
      else nodes.push(this.#action(piece));
    }
    return { nodes, end: undefined };
  }

  #take(): Piece | undefined {
    return this.#pieces[this.#next++];
  }

  #action(piece: Piece): Node {
    const [, word = "", rest = ""] = /^(if|with|range)\b(.*)$/s.exec(piece.text) ?? [];
    if (word === "") {
      const value = this.#pipeline(piece.text, piece);
      return (scope) => textOf(value(scope));
    }
    const [, first, second, pipe = ""] = variableForm.exec(rest.trim()) ?? [];
    const value = this.#pipeline(pipe, piece);
    const { nodes, otherwise } = this.#branches(piece);
    if (word === "if") return (scope) => run(isTrue(value(scope)) ? nodes : otherwise, scope);
    if (word === "with") {
      return (scope) => {
        const dot = value(scope);
        return isTrue(dot) ? run(nodes, inside(scope, dot, [first, dot])) : run(otherwise, scope);
      };
    }
    return (scope) => {
      const entries = entriesOf(value(scope));
      if (entries.length === 0) return run(otherwise, scope);
      const [key, element] = second === undefined ? [undefined, first] : [first, second];
      return entries.map(([at, each]) => run(nodes, inside(scope, each, [key, at], [element, each]))).join("");
    };
  }

  #branches(piece: Piece): { readonly nodes: readonly Node[]; readonly otherwise: readonly Node[] } {
    const { nodes, end } = this.block();
    if (end === undefined) throw broken(this.#source, piece.at, `{{${piece.text}}} has no {{end}}`);
    if (end.text === "end") return { nodes, otherwise: [] };
    const more = end.text.slice("else".length).trim();
    // {{else if}} is an {{if}} inside the {{else}}, and shares its {{end}}.
    if (more !== "") return { nodes, otherwise: [this.#action({ ...end, text: more })] };
    const { nodes: otherwise, end: last } = this.block();
    if (last?.text !== "end") throw broken(this.#source, end.at, "{{else}} has no {{end}}");
    return { nodes, otherwise };
  }

  #pipeline(text: string, { at }: Piece): Evaluate {
    const reader = new PipeReader(text, (why) => broken(this.#source, at, `${why} in {{${text}}}`));
    return reader.whole();
  }
}

function inside(scope: Scope, dot: unknown, ...said: readonly (readonly [string | undefined, unknown])[]): Scope {
  const variables = new Map(scope.variables);
  for (const [name, value] of said) if (name !== undefined) variables.set(name, value);
  return { dot, variables };
}

function entriesOf(value: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(value)) return value.map((each, at) => [at, each]);
  if (typeof value !== "object" || value === null) return [];
  // As in Go, in the order of the keys.
  return Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
}

/** Reads one pipeline. */
class PipeReader {
  readonly #text: string;
  readonly #fail: (why: string) => Error;
  #at = 0;

  constructor(text: string, fail: (why: string) => Error) {
    this.#text = text;
    this.#fail = fail;
  }

  whole(): Evaluate {
    const value = this.#pipe();
    if (this.#text.slice(this.#at).trim() !== "")
      throw this.#fail(`${quote(this.#text.slice(this.#at).trim())} is not understood`);
    return value;
  }

  #pipe(): Evaluate {
    let value = this.#command(undefined);
    while (this.#sign("|")) value = this.#command(value);
    return value;
  }

  /** A function with its arguments, the last of which may come through a pipe; or one value. */
  #command(piped: Evaluate | undefined): Evaluate {
    const name = this.#match(/[A-Za-z]\w*/y);
    if (name === undefined || name === "true" || name === "false" || name === "nil") {
      const value = name === undefined ? this.#operand() : () => (name === "nil" ? null : name === "true");
      if (value === undefined) throw this.#fail("a value is missing");
      if (piped !== undefined) throw this.#fail("what follows | must be a function");
      return value;
    }
    const called = Object.hasOwn(templateFunctions, name) ? templateFunctions[name] : undefined;
    if (called === undefined) {
      const known = Object.keys(templateFunctions).join(", ");
      throw this.#fail(`there is no function ${quote(name)}; there are ${known};`);
    }
    const values: Evaluate[] = [];
    for (let value = this.#operand(); value !== undefined; value = this.#operand()) values.push(value);
    if (piped !== undefined) values.push(piped);
    const [least, most] = called.takes;
    if (values.length < least || values.length > most) throw this.#fail(`${name} takes ${called.usage}`);
    return (scope) => called.run(...values.map((value) => value(scope)));
  }

  #operand(): Evaluate | undefined {
    const text = this.#match(/"(?:[^"\\]|\\.)*"|`[^`]*`/y);
    if (text !== undefined) {
      const value = new Written(text.startsWith("`") ? text.slice(1, -1) : unquoted(text, this.#fail));
      return () => value;
    }
    const number = this.#match(/-?\d+(?:\.\d+)?/y);
    if (number !== undefined) return () => Number(number);
    const word = this.#match(/(?:true|false|nil)\b/y);
    if (word !== undefined) return () => (word === "nil" ? null : word === "true");
    if (this.#sign("(")) {
      const inner = this.#pipe();
      if (!this.#sign(")")) throw this.#fail('")" is missing');
      const path = this.#match(/(?:\.\w+)+/y, false) ?? "";
      return (scope) => follow(inner(scope), path);
    }
    const place = this.#match(/\$\w*(?:\.\w+)*|(?:\.\w+)+|\./y);
    if (place === undefined) return undefined;
    const [, variable = "", path = ""] = /^(\$\w*)?(.*)$/.exec(place) ?? [];
    if (variable === "") return ({ dot }) => follow(dot, path);
    return ({ variables }) => {
      if (!variables.has(variable)) throw this.#fail(`there is no variable ${variable}`);
      return follow(variables.get(variable), path);
    };
  }

  #sign(sign: string): boolean {
    const rest = this.#text.slice(this.#at).trimStart();
    if (!rest.startsWith(sign)) return false;
    this.#at = this.#text.length - rest.length + sign.length;
    return true;
  }

  #match(pattern: RegExp, skipsSpace = true): string | undefined {
    if (skipsSpace) while (/\s/.test(this.#text.charAt(this.#at))) this.#at += 1;
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}

function follow(from: unknown, path: string): unknown {
  return path
    .split(".")
    .filter((name) => name !== "")
    .reduce((value, name) => memberOf(value, name), from);
}

function unquoted(text: string, fail: (why: string) => Error): string {
  try {
    return String(JSON.parse(text));
  } catch {
    throw fail(`${text} is not a text such as "a\\n"`);
  }
}

function broken(source: string, at: number, why: string): Error {
  return invalidArgument("--output", `template: ${why}, at column ${at + 1} of ${quote(source)}`);
}
