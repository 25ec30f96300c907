import { type Kind, kindTable, type MethodRule, methodTable } from "../../proto/gen/kinds.js";

export type { Kind, MethodRule };

const bySingular = new Map<string, Kind>();
const byPlural = new Map<string, Kind>();
const byType = new Map<string, Kind>();
const byWord = new Map<string, Kind>();
const rules = new Map<string, MethodRule>();
/** Paths by kind and verb. */
const pathsByVerb = new Map<string, string[]>();

/** More kinds and the methods of their services, in the form that `npm run gen` makes. */
export interface KindAdditions {
  readonly kinds: readonly Kind[];
  readonly methods: Readonly<Record<string, MethodRule>>;
}

/**
 * Adds kinds to the one table of kinds of this process; before anything is served, or any name is read.
 * @throws {Error} for a word or a method that is taken.
 */
export function addKinds({ kinds, methods }: KindAdditions): void {
  for (const kind of kinds) {
    const words = [kind.singular, kind.plural, ...kind.aliases];
    const taken = words.find((word) => byWord.has(word));
    if (taken !== undefined) throw new Error(`the word "${taken}" means a kind already`);
    bySingular.set(kind.singular, kind);
    byPlural.set(kind.plural, kind);
    byType.set(kind.type, kind);
    for (const word of words) byWord.set(word, kind);
  }
  for (const [path, rule] of Object.entries(methods)) {
    if (rules.has(path)) throw new Error(`there is a rule of ${path} already`);
    rules.set(path, rule);
    const key = verbKey(rule);
    pathsByVerb.set(key, [...(pathsByVerb.get(key) ?? []), path]);
  }
}

function verbKey({ kind, verb }: Pick<MethodRule, "kind" | "verb">): string {
  return `${kind} ${verb}`;
}

addKinds({ kinds: kindTable, methods: methodTable });

/** All kinds: hosts, what lives on them, what lives on the hub, records. */
export function allKinds(): readonly Kind[] {
  return [...bySingular.values()];
}

/** The kind of a word: singular, plural or alias. */
export function findKind(word: string): Kind | undefined {
  return byWord.get(word);
}

/** The kind of that singular. */
export function findKindBySingular(singular: string): Kind | undefined {
  return bySingular.get(singular);
}

/** The kind of that collection segment. */
export function findKindByPlural(plural: string): Kind | undefined {
  return byPlural.get(plural);
}

/** The kind of that message, "zor.v1.Lan". */
export function findKindByType(type: string): Kind | undefined {
  return byType.get(type);
}

/** The kind of that singular. @throws {Error} when there is none. */
export function kindNamed(singular: string): Kind {
  const kind = bySingular.get(singular);
  if (kind === undefined) throw new Error(`"${singular}" is not a kind of resource`);
  return kind;
}

/** Whether resources of a kind can live on hosts. */
export function livesOnHosts({ scope }: Kind): boolean {
  return scope !== "hub";
}

/** Whether resources of a kind can live on the hub itself. */
export function livesOnHub({ scope }: Kind): boolean {
  return scope !== "host";
}

/** What the options in the proto files say of a method ("/zor.v1.LanService/CreateLan"); undefined: nothing. */
export function findRule(path: string): MethodRule | undefined {
  return rules.get(path);
}

/**
 * Whether a call of a method changes something, and so leaves an event with its caller. What only hubs call does not: the hub tells who
 * asked it for what.
 */
export function leavesEvent({ access, verb, reads = false }: MethodRule): boolean {
  if (reads || verb === "get" || verb === "list") return false;
  return access !== "viewer" && access !== "hub";
}

/** Paths of the methods that do something to resources of a kind. */
export function methodsOf(kind: string, verb: MethodRule["verb"]): readonly string[] {
  return pathsByVerb.get(verbKey({ kind, verb })) ?? [];
}

/** Paths of all methods that have a rule. */
export function ruledMethods(): readonly string[] {
  return [...rules.keys()];
}
