import type { JsonValue } from "@bufbuild/protobuf";
import { parseDuration } from "../../../lib/duration.js";
import { nearest } from "../../../lib/nearest.js";
import { listed } from "../../../lib/words.js";
import { scalarText } from "../../kit/input/scalar-text.js";
import { parseMemoryMib } from "../../kit/input/memory.js";
import type { FieldSchema, Shape } from "./schema.js";

/** A text as the value that it means: undefined when nothing is said. */
export type Reading = { readonly value: JsonValue | undefined } | { readonly fault: string };

/** What a typed text means to a field. Says what is wrong with it as far as that can be told without a server. */
export function readText({ shape, label }: FieldSchema, text: string): Reading {
  const said = text.trim();
  // Blanks at the ends of a text may be meant.
  if (said === "") return { value: undefined };
  switch (shape.type) {
    case "number":
      return readNumber(shape, said);
    case "duration": {
      const ms = parseDuration(said);
      if (ms === undefined) return { fault: "is a time such as 200us, 5ms, 1.5s, 15m or 2h" };
      return { value: `${(ms / 1000).toFixed(9).replace(/\.?0+$/, "")}s` };
    }
    case "time": {
      const at = new Date(said);
      if (Number.isNaN(at.getTime())) return { fault: "is a point in time such as 2030-01-31T12:00:00Z" };
      return { value: at.toISOString() };
    }
    case "bool":
      if (said === "yes" || said === "no")
        return { value: said === "yes" ? true : shape.isOptional ? false : undefined };
      return { fault: "is yes or no" };
    case "enum":
      return readEnum(shape, said);
    case "map": {
      const at = said.indexOf("=");
      return at > 0 ? { value: said } : { fault: `a ${label} is written key=value` };
    }
    default:
      return { value: text };
  }
}

function readNumber(shape: Shape & { readonly type: "number" }, said: string): Reading {
  if (shape.isMib && !/^\d+$/.test(said)) {
    try {
      const mib = parseMemoryMib("", said);
      return { value: shape.isWide ? String(mib) : Number(mib) };
    } catch {
      return { fault: "is a number of MiB, or a size such as 256M or 1.5G" };
    }
  }
  if (!shape.whole) return readFraction(said);
  if (!/^[+-]?\d{1,19}$/.test(said)) return { fault: "is a whole number" };
  if (shape.least !== undefined && BigInt(said) < shape.least) return { fault: `is at least ${shape.least}` };
  return { value: shape.isWide ? String(BigInt(said)) : Number(said) };
}

/** A number that need not be whole: parts of one are written as in queries and flags, too. */
function readFraction(said: string): Reading {
  const [, percents] = /^(.+)%$/.exec(said) ?? [];
  // By decimal places, so that 0.1 % is 0.001 and nothing beside it.
  const value = percents === undefined ? Number(said) : Number(`${percents.trim()}e-2`);
  return Number.isFinite(value) ? { value } : { fault: "is a number, or a part such as 1%" };
}

function readEnum({ values }: Shape & { readonly type: "enum" }, said: string): Reading {
  const word = said.toLowerCase().replaceAll("_", "-");
  const found = values.find((each) => each.word === word || each.name === said);
  if (found !== undefined) return { value: found.name };
  const words = values.map((each) => each.word).filter((each) => each !== "");
  const near = nearest(word, words);
  return { fault: `is ${near === undefined ? "" : `(did you mean ${near}?) `}one of ${listed(words, 20, "or")}` };
}

/** The text that a value of the API's JSON is typed as. */
export function writeText({ shape }: FieldSchema, value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "";
  switch (shape.type) {
    case "bool":
      return value === true ? "yes" : shape.isOptional ? "no" : "";
    case "enum":
      return shape.values.find(({ name }) => name === value)?.word ?? scalarText(value);
    case "duration":
      return durationText(scalarText(value));
    default:
      return scalarText(value);
  }
}

/** "20ms" of "0.020s". */
function durationText(json: string): string {
  const seconds = Number(json.replace(/s$/, ""));
  if (!Number.isFinite(seconds) || seconds === 0) return seconds === 0 ? "0" : json;
  const units = [
    ["h", 3600],
    ["m", 60],
    ["s", 1],
    ["ms", 1e-3],
  ] as const;
  for (const [unit, size] of units) {
    const count = seconds / size;
    if (Math.abs(count - Math.round(count)) < 1e-9 && count >= 1) return `${Math.round(count)}${unit}`;
  }
  return seconds >= 1 ? `${seconds}s` : `${Number((seconds * 1e6).toFixed(3))}us`;
}

/** Words that a field can be, where these can be counted. */
export function choicesOf({ shape }: FieldSchema): readonly string[] {
  if (shape.type === "enum") return shape.values.map(({ word }) => word);
  if (shape.type === "bool") return shape.isOptional ? ["", "yes", "no"] : ["", "yes"];
  return [];
}
