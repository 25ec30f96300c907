import { invalidArgument } from "../errors.js";

/** Decides whether a resource, as proto3 JSON, matches. */
export type Matcher = (json: unknown) => boolean;

type Operator = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":";
type Token = { readonly type: "word" | "string" | "operator" | "(" | ")"; readonly text: string; readonly at: number };

const tokenPattern = /\s*(?:("(?:[^"\\]|\\.)*")|(!=|<=|>=|=|<|>|:)|([()])|([^\s"()=<>:!]+))/y;
const maxLength = 2000;
const maxDepth = 20;

/**
 * Parses a filter in the manner of AIP-160: comparisons `field op value` joined by AND, OR, NOT and parentheses. Fields are
 * dotted paths in snake_case or camelCase; operators = != < <= > >= and ":" (contains). Enum values may leave their prefix out
 * (`status.state = RUNNING`). A bare value matches resources whose name contains it. An empty filter matches everything.
 * @throws {ZorError} INVALID_ARGUMENT that says where it went wrong.
 */
export function parseFilter(filter: string): Matcher {
  if (filter.trim() === "") return () => true;
  if (filter.length > maxLength) throw invalidArgument("filter", `is longer than ${maxLength} characters`);
  return new Parser(tokenize(filter)).parse();
}

function tokenize(filter: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (filter.slice(at).trim() !== "") {
    tokenPattern.lastIndex = at;
    const match = tokenPattern.exec(filter);
    if (match === null) throw invalidArgument("filter", `cannot read it from column ${at + 1} on`);
    const [whole, text, operator, parenthesis, word] = match;
    at += whole.length;
    if (text !== undefined) tokens.push({ type: "string", text: unquote(text, at), at });
    else if (operator !== undefined) tokens.push({ type: "operator", text: operator, at });
    else if (parenthesis !== undefined) tokens.push({ type: parenthesis as "(" | ")", text: parenthesis, at });
    else tokens.push({ type: "word", text: word ?? "", at });
  }
  return tokens;
}

function unquote(text: string, at: number): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw invalidArgument("filter", `the quoted text that ends at column ${at} is not valid`);
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Matcher {
    const matcher = this.#or();
    const rest = this.#peek();
    if (rest !== undefined)
      throw invalidArgument("filter", `unexpected ${JSON.stringify(rest.text)} before column ${rest.at + 1}`);
    return matcher;
  }

  #or(): Matcher {
    const terms = [this.#and()];
    while (this.#takeWord("OR")) terms.push(this.#and());
    return (json) => terms.some((term) => term(json));
  }

  #and(): Matcher {
    const terms = [this.#not()];
    for (;;) {
      const next = this.#peek();
      if (this.#takeWord("AND")) terms.push(this.#not());
      // Terms side by side mean AND, as in AIP-160.
      else if (next !== undefined && next.type !== ")" && next.text !== "OR") terms.push(this.#not());
      else return (json) => terms.every((term) => term(json));
    }
  }

  #not(): Matcher {
    if (this.#takeWord("NOT")) {
      const inner = this.#primary();
      return (json) => !inner(json);
    }
    return this.#primary();
  }

  #primary(): Matcher {
    const token = this.#next("a comparison");
    if (token.type === "(") {
      this.#depth += 1;
      if (this.#depth > maxDepth) throw invalidArgument("filter", `is nested more than ${maxDepth} deep`);
      const inner = this.#or();
      const closing = this.#next('")"');
      if (closing.type !== ")") throw invalidArgument("filter", `expected ")" before column ${closing.at + 1}`);
      this.#depth -= 1;
      return inner;
    }
    const reserved = token.type === "word" && (token.text === "AND" || token.text === "OR");
    if (reserved || (token.type !== "word" && token.type !== "string")) {
      throw invalidArgument("filter", `expected a field or value before column ${token.at + 1}`);
    }
    if (this.#peek()?.type !== "operator") {
      return (json) => lookUp(json, ["name"]).some((name) => compare(name, ":", token.text));
    }
    const operator = this.#next("an operator").text as Operator;
    const value = this.#next("a value");
    if (value.type !== "word" && value.type !== "string") {
      throw invalidArgument("filter", `expected a value before column ${value.at + 1}`);
    }
    const path = token.text.split(".");
    return (json) => matches(lookUp(json, path), operator, value.text);
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#position];
  }

  #next(expected: string): Token {
    const token = this.#tokens[this.#position];
    if (token === undefined) throw invalidArgument("filter", `ends where ${expected} was expected`);
    this.#position += 1;
    return token;
  }

  #takeWord(word: string): boolean {
    const token = this.#peek();
    if (token?.type !== "word" || token.text !== word) return false;
    this.#position += 1;
    return true;
  }
}

/** All values at a path; lists are searched through. Keys match in snake_case and camelCase. */
export function lookUp(json: unknown, path: readonly string[]): unknown[] {
  const [key, ...rest] = path;
  if (Array.isArray(json)) return json.flatMap((element) => lookUp(element, path));
  if (key === undefined) return [json];
  if (typeof json !== "object" || json === null) return [];
  const camel = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  // Label keys may hold dots: the rest of the path as one key is tried as well.
  const whole = path.join(".");
  const record = json as Readonly<Record<string, unknown>>;
  if (rest.length > 0 && Object.hasOwn(record, whole)) return [record[whole]];
  const found = Object.hasOwn(record, key) ? record[key] : Object.hasOwn(record, camel) ? record[camel] : undefined;
  return found === undefined ? [] : lookUp(found, rest);
}

function matches(values: readonly unknown[], operator: Operator, wanted: string): boolean {
  // proto3 JSON leaves zero values out: an absent field compares as empty.
  const present = values.length === 0 ? [""] : values;
  if (operator === "!=") return present.every((value) => !compare(value, "=", wanted));
  return present.some((value) => compare(value, operator, wanted));
}

function compare(value: unknown, operator: Operator, wanted: string): boolean {
  const text = typeof value === "object" ? JSON.stringify(value) : String(value ?? "");
  if (operator === ":") return text.toLowerCase().includes(wanted.toLowerCase());
  if (operator === "=") return text === wanted || isEnumValue(text, wanted) || isZero(text, wanted);
  const [left, right] = [comparable(text === "" ? "0" : text), comparable(wanted)];
  if (typeof left !== typeof right) return false;
  if (operator === "<") return left < right;
  if (operator === "<=") return left <= right;
  if (operator === ">") return left > right;
  return left >= right;
}

function isEnumValue(text: string, wanted: string): boolean {
  return (
    /^[A-Z][A-Z0-9_]*$/.test(text) &&
    text.endsWith(`_${wanted.toUpperCase()}`) &&
    /_(STATE|PATH|ROLE|SEVERITY|TRANSPORT|ENCRYPTION)_/.test(text)
  );
}

function isZero(text: string, wanted: string): boolean {
  return text === "" && (wanted === "0" || wanted === "false");
}

function comparable(text: string): number | string {
  const number = Number(text);
  return text.trim() !== "" && Number.isFinite(number) ? number : text;
}
