import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import { parseJsonPath } from "./json-path.js";
import { jsonText, yamlText } from "./structured.js";
import { parseTemplate } from "./template.js";

/** Forms that take an expression: how they begin, and how help writes them. */
const expressions = {
  "jsonpath=": { placeholder: "jsonpath=EXPRESSION", parse: parseJsonPath },
  "template=": { placeholder: "template=TEMPLATE", parse: parseTemplate },
} as const;
/** What others call a form, and what it is here. */
const otherWords: readonly (readonly [string, ExpressionPrefix])[] = [["go-template=", "template="]];

type ExpressionPrefix = keyof typeof expressions;

/** What an expression of a form is applied to, or prints as it is. */
export type StructuredForm = "json" | "yaml" | `${ExpressionPrefix}${string}`;

/** Forms of output: "text" is what a command prints for people, the last of them what a person wrote. */
export type OutputFormat = "text" | "table" | "wide" | "csv" | "name" | StructuredForm;

/** Placeholders of the forms that take an expression, for help and completion. */
export const expressionForms: readonly string[] = Object.values(expressions).map(({ placeholder }) => placeholder);

/**
 * Reads the value of -o. Expressions are read as well: what is wrong with one is told before anything is asked or changed.
 * @param plain the forms that are one word. @throws {ZorError} INVALID_ARGUMENT
 */
export function parseForm(text: string, plain: readonly string[]): OutputFormat {
  // What is in the list is a form.
  if (plain.includes(text)) return text as OutputFormat;
  // Lists were printed with "text" once.
  if (text === "text" && plain.includes("table")) return "table";
  const other = otherWords.find(([word]) => text.startsWith(word));
  if (other !== undefined) return parseForm(`${other[1]}${text.slice(other[0].length)}`, plain);
  const prefix = prefixOf(text);
  if (prefix === undefined || !plain.includes("json")) {
    const all = [...plain, ...(plain.includes("json") ? expressionForms : [])];
    throw invalidArgument(
      "--output",
      `${quote(text)} is no form of output. Allowed choices are ${listed(all, all.length)}`,
    );
  }
  expressions[prefix].parse(text.slice(prefix.length));
  return text as OutputFormat;
}

/** Whether a form shows the API's JSON, whole or in parts. */
export function isStructured(format: string): format is StructuredForm {
  return format === "json" || format === "yaml" || prefixOf(format) !== undefined;
}

/** A JSON value in a structured form. @param isLine JSON stands on one line: it is one of many. */
export async function structuredText(format: StructuredForm, value: unknown, isLine = false): Promise<string> {
  if (format === "json") return jsonText(value, !isLine);
  if (format === "yaml") return yamlText(value);
  const prefix = prefixOf(format);
  if (prefix === undefined) throw new Error(`${format} is no structured form`);
  return expressions[prefix].parse(format.slice(prefix.length))(value);
}

function prefixOf(text: string): ExpressionPrefix | undefined {
  // The keys of an object literal.
  return (Object.keys(expressions) as ExpressionPrefix[]).find((prefix) => text.startsWith(prefix));
}
