import type { NamedMessage } from "../kinds/codecs.js";

/** Words for what instances are, besides that of their driver. */
const ofDrivers: Readonly<Record<string, readonly string[]>> = {
  qemu: ["kvm", "machine"],
  libvirt: ["kvm", "machine"],
  crun: ["container"],
  docker: ["container"],
  podman: ["container"],
};

/** All of them. */
export const driverWords: readonly string[] = [
  ...new Set(Object.entries(ofDrivers).flatMap(([word, more]) => [word, ...more])),
];

interface Shape {
  readonly name?: string;
  readonly spec?: {
    readonly driver?: { readonly $case: string };
    readonly nics?: readonly { readonly lan: string }[];
    readonly a?: string;
    readonly b?: string;
  };
}

/** What an instance is, by its driver; nothing of others. */
export function kindWordsOf(resource: unknown): readonly string[] {
  const driver = shapeOf(resource).spec?.driver?.$case;
  return driver === undefined ? [] : [driver, ...(ofDrivers[driver] ?? [])];
}

/** The last segment of a name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** Whether a resource is called so: by its whole name, "alpha/vm1" or "vm1". */
export function isNamed(name: string, wanted: string): boolean {
  if (name === wanted) return true;
  const id = idOf(name);
  return id === wanted || (wanted.endsWith(id) && wanted === `${name.split("/")[1] ?? ""}/${id}`);
}

/** Names under which links that belong to a resource are filed: its own, and of what it is plugged into. */
export function endNamesOf(kind: string, resource: unknown): readonly string[] {
  const { name = "", spec } = shapeOf(resource);
  if (kind === "link") return [spec?.a ?? "", spec?.b ?? ""].filter((end) => end !== "");
  if (kind !== "instance") return [name];
  const host = name.split("/").slice(0, 2).join("/");
  const lans = (spec?.nics ?? []).flatMap(({ lan }) => (lan === "" ? [] : [`${host}/lans/${lan}`]));
  return [name, ...new Set(lans)];
}

/** Names under which a link is found: its ends, "hosts/a/instances/vm/nics/eth0", and all that each is a part of. */
export function filedNamesOf(link: unknown): readonly string[] {
  return [...new Set(endNamesOf("link", link).flatMap(withAllAbove))];
}

function withAllAbove(end: string): readonly string[] {
  const segments = end.split("/");
  const names: string[] = [];
  for (let length = 2; length <= segments.length; length += 2) names.push(segments.slice(0, length).join("/"));
  return names;
}

function shapeOf(resource: unknown): Shape {
  // Only what is there is read, whatever message it is.
  return (resource ?? {}) as Shape;
}

/** What no word is looked for in: it says nothing to people. */
const unsearched = new Set(["uid", "etag", "$case", "seed", "sha256", "digest", "typeUrl"]);
const mostDepth = 5;
const mostCharacters = 4000;

/** All texts of a resource in small letters, a line each: name, labels, addresses, reasons. */
export function searchedText(resource: unknown): string {
  const found: string[] = [String((resource as Partial<NamedMessage> | undefined)?.name ?? "")];
  gather(resource, found, { depth: 0, left: mostCharacters });
  return found.join("\n").toLowerCase();
}

function gather(value: unknown, found: string[], place: { readonly depth: number; left: number }): void {
  if (place.left <= 0 || place.depth > mostDepth || typeof value !== "object" || value === null) return;
  if (value instanceof Date || value instanceof Uint8Array) return;
  for (const [key, each] of Object.entries(value)) {
    if (unsearched.has(key) || (place.depth === 0 && key === "name")) continue;
    if (typeof each === "string") {
      if (each === "") continue;
      // Of labels both sides are looked at.
      const text = place.depth === 0 || Array.isArray(value) ? each : `${key}=${each}`;
      found.push(text);
      place.left -= text.length;
    } else if (typeof each === "object" && each !== null) {
      const inner = { depth: place.depth + 1, left: place.left };
      gather(each, found, inner);
      place.left = inner.left;
    }
  }
}
