import { allKinds, livesOnHub } from "../../lib/kinds/kinds.js";

/**
 * Several hubs in one view: the name of each thing says at which hub it is, "hosts/alpha@paris/instances/web" or "links/demo@paris". No id
 * has an "@" in it. Hubs are called what their contexts are called.
 */
const atHub = /^([a-z0-9-]+)\/([^/@\s]+)@([^/@\s]+)((?:\/[^/\s]+)*)$/;
const bareName = /^([a-z0-9-]+)\/([^/@\s]+)((?:\/[^/\s]+)*)$/;
const idAtHub = /^([^/@\s]+)@([^/@\s]+)$/;

/** What stands between several contexts that are looked at together. */
const between = /[+,]/;

/** The contexts that a text names: "paris+rome" names two. */
export function contextsIn(text: string): readonly string[] {
  return [...new Set(text.split(between).filter((name) => name !== ""))];
}

/** The hub that a resource name, or the id of a host, says it is at; empty: it says none. */
export function hubOf(name: string): string {
  const at = name.indexOf("@");
  if (at < 0) return "";
  const end = name.indexOf("/", at);
  return name.slice(at + 1, end < 0 ? undefined : end);
}

/** The same, said of another hub's things: every resource name in a message, however deep, gets the hub. What is given is not changed. */
export function withHub<T>(message: T, hub: string): T {
  const collections = new Set(["hosts", ...allKinds().flatMap((kind) => (livesOnHub(kind) ? [kind.plural] : []))]);
  return mapTexts(message, (text) => {
    const [, collection = "", id = "", rest = ""] = text.includes("/") ? (bareName.exec(text) ?? []) : [];
    return collections.has(collection) ? `${collection}/${id}@${hub}${rest}` : text;
  });
}

/** The id of a host, or of something of a hub, with its hub. */
export function idWithHub(id: string, hub: string): string {
  return `${id}@${hub}`;
}

/** What {@link withHub} was given. `onOther` is told of names at hubs other than this one. */
export function withoutHub<T>(message: T, hub: string, onOther: (name: string) => void = () => undefined): T {
  return mapTexts(message, (text, key) => {
    if (!text.includes("@")) return text;
    const [, collection = "", id = "", named = "", rest = ""] = atHub.exec(text) ?? [];
    if (named === hub) return `${collection}/${id}${rest}`;
    if (named !== "") onOther(text);
    // Only what holds an id: what people write of their own may look like one.
    const [, bare, of] = key === "id" || key.endsWith("Id") ? (idAtHub.exec(text) ?? []) : [];
    return bare !== undefined && of === hub ? bare : text;
  });
}

/** The hubs that names in a message say they are at. */
export function hubsIn(message: unknown): ReadonlySet<string> {
  const found = new Set<string>();
  mapTexts(message, (text) => {
    const [, , , hub] = atHub.exec(text) ?? [];
    if (hub !== undefined) found.add(hub);
    return text;
  });
  return found;
}

/** A message with each of its texts made another; what has none is the same object as before. */
function mapTexts<T>(value: T, change: (text: string, key: string) => string, key = ""): T {
  // What is made of a text is a text, of a list a list, and of a message one with the same fields.
  if (typeof value === "string") return change(value, key) as T;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const list = value.map((each) => mapTexts(each, change, key));
    return (list.some((each, index) => each !== value[index]) ? list : value) as T;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const copy: Record<string, unknown> = Object.fromEntries(Object.entries(value));
  let isOther = false;
  for (const [field, before] of Object.entries(value)) {
    copy[field] = mapTexts(before, change, field);
    isOther ||= copy[field] !== before;
  }
  return (isOther ? copy : value) as T;
}
