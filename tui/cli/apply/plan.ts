import { isDeepStrictEqual } from "node:util";
import { status } from "@grpc/grpc-js";
import type { JsonValue } from "@bufbuild/protobuf";
import { invalidArgument, ZorError } from "../../../lib/errors.js";
import { jsonToBytes } from "../../../lib/grpc/json.js";
import { codecOf, type NamedMessage } from "../../../lib/kinds/codecs.js";
import { commentOf } from "../../../lib/kinds/comments.js";
import { changedPaths } from "../../../lib/kinds/mask.js";
import { findStandardMethod } from "../../../lib/kinds/verbs.js";
import { quote } from "../../../lib/names.js";
import { shortName } from "../../kit/resource-name.js";
import { commandsOf } from "../kind-commands.js";
import { getResource } from "../kinds.js";
import type { Session } from "../session.js";
import type { Manifest } from "./manifest.js";
import { jsonOf, mergedWith, valueAt } from "./merge.js";

/** What a file wants of a resource. */
export type Step = Creation | Update | Unchanged;

interface Creation {
  readonly outcome: "created";
  readonly wanted: NamedMessage;
}

interface Update {
  readonly outcome: "changed";
  readonly wanted: NamedMessage;
  readonly etag: string;
  /** Of an update mask. */
  readonly paths: readonly string[];
  readonly before: NamedMessage;
}

interface Unchanged {
  readonly outcome: "unchanged";
}

/** Looks at a resource as it is, and says what is to be done so that it is as the file has it. @throws {ZorError} */
export async function planStep(session: Session, { kind, name, json, place }: Manifest): Promise<Step> {
  const current = await find(session, { kind, name });
  if (current === undefined) {
    if (findStandardMethod(kind.singular, "create") === undefined)
      throw invalidArgument(place, `${shortName(name)} is not there, and ${kind.plural} cannot be created`);
    return { outcome: "created", wanted: codecOf(kind.singular).decode(jsonToBytes(kind.type, json)) };
  }
  const { changeable = ["labels", "annotations", "spec"] } = await commandsOf(kind);
  const wanted = mergedWith(kind, current, json);
  const all = changedPaths(kind.singular, current, wanted);
  const paths = all.filter((path) => changeable.some((each) => path === each || path.startsWith(`${each}.`)));
  const fixed = all.find((path) => !paths.includes(path) && !isReadOnly(kind.type, path));
  if (fixed !== undefined) {
    const has = JSON.stringify(valueAt(kind, jsonOf(kind, current), fixed) ?? null);
    throw invalidArgument(place, `${fixed} of ${shortName(name)} cannot be changed: it is ${has}`);
  }
  if (paths.length === 0) return { outcome: "unchanged" };
  if (findStandardMethod(kind.singular, "update") === undefined)
    throw invalidArgument(
      place,
      `${quote(kind.plural)} cannot be changed once they are there; ${shortName(name)} differs in ${paths.join(", ")}`,
    );
  return { outcome: "changed", wanted, etag: String(Reflect.get(current, "etag") ?? ""), paths, before: current };
}

/** What is said of one field. */
export interface FieldChange {
  readonly path: string;
  readonly before: JsonValue | undefined;
  readonly after: JsonValue | undefined;
}

/** The fields that a step changes; of what is created all that is said. */
export function fieldChanges({ kind, json }: Manifest, step: Step): readonly FieldChange[] {
  if (step.outcome === "unchanged") return [];
  if (step.outcome === "created") {
    return leavesOf(json, "")
      .filter(({ path }) => path !== "name")
      .map(({ path, value }) => ({ path, before: undefined, after: value }));
  }
  const [before, after] = [jsonOf(kind, step.before), jsonOf(kind, step.wanted)];
  return step.paths
    .map((path) => ({ path, before: valueAt(kind, before, path), after: valueAt(kind, after, path) }))
    .filter((change) => !isDeepStrictEqual(change.before, change.after));
}

function leavesOf(value: JsonValue, path: string): readonly { readonly path: string; readonly value: JsonValue }[] {
  const isLeaf = typeof value !== "object" || value === null || Array.isArray(value) || Object.keys(value).length === 0;
  if (isLeaf) return [{ path, value }];
  return Object.entries(value).flatMap(([key, each]) =>
    leavesOf(each, path === "" ? snake(key) : `${path}.${snake(key)}`),
  );
}

function snake(key: string): string {
  return /^[a-z][A-Za-z0-9]*$/.test(key) ? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : key;
}

function isReadOnly(type: string, path: string): boolean {
  return /read only/i.test(commentOf(`${type}.${path.split(".")[0] ?? ""}`));
}

async function find(
  session: Session,
  { kind, name }: Pick<Manifest, "kind" | "name">,
): Promise<NamedMessage | undefined> {
  try {
    const found = await getResource(await session.connect(), kind, name, session.readOptions());
    return found?.value;
  } catch (error) {
    // A host that is not there, or a resource that is not: what it is, creating it will say.
    if (error instanceof ZorError && error.code === status.NOT_FOUND) return undefined;
    throw error;
  }
}
