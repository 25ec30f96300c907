import type { JsonValue } from "@bufbuild/protobuf";
import { findKind } from "../../../lib/kinds/kinds.js";
import { hostOf, idOf } from "../../kit/resource-name.js";
import type { Manifest } from "./manifest.js";

/** Which of the others each of the manifests refers to. */
export type References = ReadonlyMap<Manifest, readonly Manifest[]>;

/**
 * What manifests refer to among themselves: by full names wherever they stand, and by ids in fields that are called as a kind is
 * ("lan", "lan_a", "image") of the same host.
 */
export function referencesOf(manifests: readonly Manifest[]): References {
  return new Map(
    manifests.map((manifest) => {
      const { spec, name, ...rest } = manifest.json;
      const others = manifests.filter((other) => other !== manifest);
      const host = hostOf(manifest.name);
      const found = new Set<Manifest>();
      for (const { key, text } of textsOf({ spec: spec ?? null, ...rest, labels: null, annotations: null }, "")) {
        for (const other of others) if (refersTo(other, key, text, host)) found.add(other);
      }
      // What lives on a host comes after it.
      for (const other of others) if (manifest.name.startsWith(`${other.name}/`)) found.add(other);
      return [manifest, [...found]] as const;
    }),
  );
}

/** Manifests in an order in which each comes after what it refers to; in a circle as they were written. */
export function ordered(manifests: readonly Manifest[], references: References): Manifest[] {
  const result = new Set<Manifest>();
  const under = new Set<Manifest>();
  const visit = (manifest: Manifest): void => {
    if (result.has(manifest) || under.has(manifest)) return;
    under.add(manifest);
    for (const other of references.get(manifest) ?? []) visit(other);
    under.delete(manifest);
    result.add(manifest);
  };
  for (const manifest of manifests) visit(manifest);
  return [...result];
}

function refersTo(other: Manifest, key: string, text: string, host: string | undefined): boolean {
  if (text === other.name || text.startsWith(`${other.name}/`)) return true;
  if (hostOf(other.name) !== host || idOf(other.name) !== text.split("/")[0]) return false;
  const words = key
    .replace(/([A-Z])/g, "_$1")
    .toLowerCase()
    .split("_");
  return words.some((word) => findKind(word) === other.kind);
}

interface Text {
  readonly key: string;
  readonly text: string;
}

function textsOf(value: JsonValue, key: string): readonly Text[] {
  if (typeof value === "string") return [{ key, text: value }];
  if (Array.isArray(value)) return value.flatMap((each) => textsOf(each, key));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => textsOf(each, name));
}
