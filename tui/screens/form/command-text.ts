import type { JsonValue } from "@bufbuild/protobuf";
import { hubOf, hubsIn, withoutHub } from "../../kit/hubs.js";
import type { MessageJson } from "../../kit/input/fields.js";
import { scalarText } from "../../kit/input/scalar-text.js";
import { assignmentsOf, fieldText } from "../../kit/input/say-fields.js";
import { shortName } from "../../kit/resource-name.js";
import type { ResourceChange } from "./changes.js";
import { type Form, jsonOf } from "./form.js";

/** Words of the command that does the same, not quoted yet; none while nothing is asked for. Of several hubs in one view it says which. */
export function commandWords(form: Form, asked: ResourceChange | undefined): readonly string[] {
  if (asked === undefined) return [];
  const hub = hubOf(asked.name) || ([...hubsIn(asked.resource)][0] ?? "");
  const [zor, ...words] = wordsOf(form, {
    ...asked,
    ...withoutHub({ name: asked.name, resource: asked.resource }, hub),
  });
  return hub === "" ? [zor, ...words] : [zor, "--context", hub, ...words];
}

function wordsOf(form: Form, change: ResourceChange): readonly [string, ...string[]] {
  const { kind, hints } = form.aim;
  const json = { ...jsonOf(kind, change.resource) };
  delete json["name"];
  const name = shortName(change.name);
  if (change.type === "update") {
    const texts = change.paths.map((path) => `${path}=${valueAt(json, path)}`);
    return ["zor", "set", kind.singular, name, ...texts];
  }
  const { words, flags, rest } = hints.say?.(json, assignmentsOf) ?? { words: [], flags: [], rest: json };
  const { labels = {}, annotations = {}, ...others } = rest;
  // What of the spec is said by words and flags leaves nothing of it.
  if (isMessage(others["spec"]) && Object.keys(others["spec"]).length === 0) delete others["spec"];
  const pairs = (flag: string, map: JsonValue) =>
    Object.entries(map ?? {}).flatMap(([key, value]) => [flag, `${key}=${scalarText(value)}`]);
  const sets = assignmentsOf(others, kind.type).flatMap((text) => ["--set", text]);
  const extras = Object.entries(change.extras).flatMap(([key, value]) => {
    const flag = `--${snake(key).replaceAll("_", "-")}`;
    return value === true ? [flag] : [flag, fieldText(value)];
  });
  const said = [...flags, ...sets, ...pairs("--label", labels), ...pairs("--annotation", annotations), ...extras];
  return ["zor", "create", kind.singular, name, ...words, ...said];
}

/** A command line as a shell reads it. */
export function shellText(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}

function valueAt(json: MessageJson, path: string): string {
  const segments = path.split(".");
  let value: JsonValue | undefined = json;
  for (let at = 0; at < segments.length; at += 1) {
    if (!isMessage(value)) return "";
    // Keys of labels hold dots.
    const rest = segments.slice(at).join(".");
    if (Object.hasOwn(value, rest)) return fieldText(value[rest]);
    value = value[camel(segments[at] ?? "")];
  }
  return fieldText(value);
}

function isMessage(value: JsonValue | undefined): value is MessageJson {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
