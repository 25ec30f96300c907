import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { memberOf, plainText } from "./json-value.js";

/** Prints what an expression finds in a JSON value. */
export type Expression = (value: unknown) => string;

/** Finds values, beginning at one; `root` is what "$" means. */
type Path = (from: readonly unknown[], root: unknown) => readonly unknown[];
type Test = (element: unknown, root: unknown) => boolean;

type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "path"; readonly path: Path }
  | { readonly type: "range"; readonly path: Path; readonly parts: readonly Part[] };

/**
 * Reads an expression in the manner of kubectl: text with paths in braces, `{range .instances[*]}{.name}{"\n"}{end}`; without braces the
 * whole is one path. Names are those that -o json shows; snake_case does as well. What is not there prints nothing.
 * @throws {ZorError} INVALID_ARGUMENT that says where it goes wrong.
 */
export function parseJsonPath(text: string): Expression {
  const source = text.includes("{") ? text : `{${text}}`;
  const parts = new TemplateReader(source).read();
  return (value) => print(parts, value, value);
}

function print(parts: readonly Part[], at: unknown, root: unknown): string {
  return parts
    .map((part) => {
      if (part.type === "text") return part.text;
      const found = part.path([at], root);
      if (part.type === "path") return found.map(plainText).join(" ");
      return found.map((each) => print(part.parts, each, root)).join("");
    })
    .join("");
}

/** Reads text and what stands in braces. */
class TemplateReader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  read(isInside = false): Part[] {
    const parts: Part[] = [];
    while (this.#at < this.#source.length) {
      const open = this.#source.indexOf("{", this.#at);
      if (open < 0) break;
      if (open > this.#at) parts.push({ type: "text", text: this.#source.slice(this.#at, open) });
      const close = this.#endOf(open);
      const inner = this.#source.slice(open + 1, close).trim();
      this.#at = close + 1;
      if (inner === "end") {
        if (isInside) return parts;
        throw broken(this.#source, open, "{end} without a {range}");
      }
      parts.push(this.#part(inner, open));
    }
    if (isInside) throw broken(this.#source, this.#source.length, "a {range} has no {end}");
    const rest = this.#source.slice(this.#at);
    return rest === "" ? parts : [...parts, { type: "text", text: rest }];
  }

  #part(inner: string, at: number): Part {
    const range = /^range\s+(.*)$/s.exec(inner)?.[1];
    if (range !== undefined) {
      const path = new PathReader(this.#source, range, at).whole();
      return { type: "range", path, parts: this.read(true) };
    }
    const text = textOf(inner);
    if (text !== undefined) return { type: "text", text };
    return { type: "path", path: new PathReader(this.#source, inner, at).whole() };
  }

  /** The brace that ends what begins here; those between quotes end nothing. */
  #endOf(open: number): number {
    let quoted = "";
    for (let at = open + 1; at < this.#source.length; at++) {
      const character = this.#source.charAt(at);
      if (quoted !== "") {
        if (character === "\\") at += 1;
        else if (character === quoted) quoted = "";
      } else if (character === '"' || character === "'") quoted = character;
      else if (character === "}") return at;
    }
    throw broken(this.#source, open, "this brace is never closed");
  }
}

const pathTokens =
  /\s*(?:(\.\.)|\.(\*)|\.?\[|\.((?:[^\s.[\](){}'"=!<>&|,\\]|\\.)+)|(\$|@)|((?:[^\s.[\](){}'"=!<>&|,\\]|\\.)+))/y;

/** Reads one path, and the tests in it. */
class PathReader {
  readonly #whole: string;
  readonly #text: string;
  readonly #offset: number;
  #at = 0;

  /** @param offset where the text stands in the whole, for errors. */
  constructor(whole: string, text: string, offset: number) {
    this.#whole = whole;
    this.#text = text;
    this.#offset = offset;
  }

  whole(): Path {
    const path = this.path();
    if (this.#skipSpace() < this.#text.length) throw this.#broken("this is no part of a path");
    return path;
  }

  path(): Path {
    const steps: Path[] = [];
    let fromRoot = false;
    for (let isFirst = true; ; isFirst = false) {
      pathTokens.lastIndex = this.#at;
      const token = pathTokens.exec(this.#text);
      if (token === null) break;
      const [whole, deep, all, member, start, bare] = token;
      if (!isFirst && (start !== undefined || bare !== undefined)) break;
      this.#at += whole.length;
      if (start !== undefined) fromRoot = start === "$";
      else if (deep !== undefined) steps.push(descendants, this.#afterDeep());
      else if (all !== undefined) steps.push(children);
      else if (member !== undefined || bare !== undefined) steps.push(membersNamed([unescaped(member ?? bare ?? "")]));
      else steps.push(this.#bracket());
    }
    if (this.#at === 0 && this.#text.trim() !== "." && this.#text.trim() !== "")
      throw this.#broken("a path begins here");
    if (this.#text.trim() === ".") this.#at = this.#text.length;
    return (from, root) =>
      steps.reduce<readonly unknown[]>((found, step) => step(found, root), fromRoot ? [root] : from);
  }

  /** "..name", "..*" and "..[": the next step without its dot. */
  #afterDeep(): Path {
    if (this.#take("*")) return children;
    if (this.#take("[")) return this.#bracket();
    const name = /[^\s.[\](){}'"=!<>&|,]+/y;
    name.lastIndex = this.#at;
    const found = name.exec(this.#text)?.[0];
    if (found === undefined) throw this.#broken('a name follows ".."');
    this.#at += found.length;
    return membersNamed([found]);
  }

  /** What follows "[". */
  #bracket(): Path {
    if (this.#take("*")) return this.#closed(children);
    if (this.#take("?(")) {
      const test = this.#anyOf();
      if (!this.#take(")")) throw this.#broken('")" is missing');
      return this.#closed((from, root) => children(from, root).filter((element) => test(element, root)));
    }
    const slice = this.#match(/(-?\d*):(-?\d*)(?::(\d+))?/y);
    if (slice !== undefined) return this.#closed(sliceOf(slice[1] ?? "", slice[2] ?? "", Number(slice[3] ?? 1)));
    const steps: Path[] = [];
    do {
      const index = this.#match(/-?\d+/y)?.[0];
      steps.push(index === undefined ? membersNamed([this.#quoted()]) : elementAt(Number(index)));
    } while (this.#take(","));
    return this.#closed((from, root) => from.flatMap((each) => steps.flatMap((step) => step([each], root))));
  }

  #closed(path: Path): Path {
    if (this.#take("]")) return path;
    throw this.#broken('"]" is missing');
  }

  #anyOf(): Test {
    const tests = [this.#allOf()];
    while (this.#take("||")) tests.push(this.#allOf());
    return (element, root) => tests.some((test) => test(element, root));
  }

  #allOf(): Test {
    const tests = [this.#test()];
    while (this.#take("&&")) tests.push(this.#test());
    return (element, root) => tests.every((test) => test(element, root));
  }

  #test(): Test {
    if (this.#take("!(") || this.#take("(")) {
      const isNot = this.#text.charAt(this.#at - 2) === "!";
      const inner = this.#anyOf();
      if (!this.#take(")")) throw this.#broken('")" is missing');
      return (element, root) => inner(element, root) !== isNot;
    }
    const left = this.#operand();
    const operator = this.#match(/==|!=|<=|>=|=~|<|>/y)?.[0];
    if (operator === undefined) return (element, root) => left(element, root).length > 0;
    if (operator === "=~") {
      const pattern = regularExpression(this.#quoted(), (why) => this.#broken(why));
      return (element, root) => left(element, root).some((value) => pattern.test(plainText(value)));
    }
    const right = this.#operand();
    return (element, root) => compare(left(element, root)[0], right(element, root)[0], operator);
  }

  #operand(): (element: unknown, root: unknown) => readonly unknown[] {
    const at = this.#skipSpace();
    const first = this.#text.charAt(at);
    if (first === "@" || first === "$" || first === ".") {
      const path = this.path();
      return (element, root) => path([element], root);
    }
    const number = this.#match(/-?\d+(?:\.\d+)?/y)?.[0];
    if (number !== undefined) return () => [Number(number)];
    const word = this.#match(/true|false|null/y)?.[0];
    if (word !== undefined) return () => [word === "null" ? null : word === "true"];
    const text = this.#quoted();
    return () => [text];
  }

  #quoted(): string {
    const found = this.#match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/y)?.[0];
    const text = found === undefined ? undefined : textOf(found);
    if (text === undefined) throw this.#broken("a text in quotes, a number or a path is missing");
    return text;
  }

  #take(text: string): boolean {
    const at = this.#skipSpace();
    if (!this.#text.startsWith(text, at)) return false;
    this.#at = at + text.length;
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    const at = this.#skipSpace();
    pattern.lastIndex = at;
    const found = pattern.exec(this.#text) ?? undefined;
    if (found !== undefined) this.#at = at + found[0].length;
    return found;
  }

  #skipSpace(): number {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at += 1;
    return this.#at;
  }

  #broken(why: string): Error {
    return broken(this.#whole, this.#offset + this.#at, why);
  }
}

const descendants: Path = (from) => from.flatMap(deep);
const children: Path = (from) => from.flatMap((each) => (isObject(each) ? Object.values(each) : []));

function deep(value: unknown): readonly unknown[] {
  return isObject(value) ? [value, ...Object.values(value).flatMap(deep)] : [];
}

function membersNamed(names: readonly string[]): Path {
  return (from) =>
    from.flatMap((each) => names.map((name) => memberOf(each, name)).filter((found) => found !== undefined));
}

function elementAt(index: number): Path {
  return (from) => from.flatMap((each) => (Array.isArray(each) ? each.slice(index, index + 1 || undefined) : []));
}

function sliceOf(begin: string, end: string, step: number): Path {
  return (from) =>
    from.flatMap((each) => {
      if (!Array.isArray(each)) return [];
      const part: readonly unknown[] = each.slice(
        begin === "" ? 0 : Number(begin),
        end === "" ? undefined : Number(end),
      );
      return part.filter((_, at) => at % Math.max(1, step) === 0);
    });
}

function compare(left: unknown, right: unknown, operator: string): boolean {
  const numbers = [left, right].map((value) => (plainText(value) === "" ? Number.NaN : Number(plainText(value))));
  const [a, b] = numbers.some(Number.isNaN) ? [plainText(left), plainText(right)] : (numbers as [number, number]);
  switch (operator) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return left !== undefined && a < b;
    case "<=":
      return left !== undefined && a <= b;
    case ">":
      return left !== undefined && a > b;
    default:
      return left !== undefined && a >= b;
  }
}

function regularExpression(text: string, fail: (why: string) => Error): RegExp {
  try {
    return new RegExp(text, "u");
  } catch {
    throw fail(`${quote(text)} is no regular expression`);
  }
}

/** What a text in quotes says; undefined: it is none. */
function textOf(text: string): string | undefined {
  const inner = /^"((?:[^"\\]|\\.)*)"$/s.exec(text)?.[1] ?? /^'((?:[^'\\]|\\.)*)'$/s.exec(text)?.[1];
  const signs: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };
  return inner?.replace(/\\(.)/gs, (_, character: string) => signs[character] ?? character);
}

function unescaped(name: string): string {
  return name.replace(/\\(.)/g, "$1");
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function broken(source: string, at: number, why: string): Error {
  return invalidArgument("--output", `jsonpath: ${why}, at column ${at + 1} of ${quote(source)}`);
}
