/** A flag on the command line. */
export interface Flag {
  /** In the notation of the help: "--mtu <bytes>", "--rstp", "--no-down". */
  readonly flags: string;
  readonly help: string;
  /** It may be repeated: its value is a list of texts, empty when it is not given. */
  readonly repeatable?: boolean;
  readonly choices?: readonly string[];
  /** Singular of the kind whose resources it names: of the host of the resource. */
  readonly kind?: string;
  readonly default?: string;
  /** Name, in camelCase, of a flag that it does not go with. */
  readonly conflicts?: string;
  /** Left out of the help. */
  readonly hidden?: boolean;
  /** It says nothing of the resource, so that it also goes with a file. */
  readonly besides?: boolean;
}

/** A word on the command line, after the name. */
export interface Word {
  /** In the notation of the help: "<lan-a>", "[command...]". */
  readonly word: string;
  readonly help: string;
  /** Singular of the kind whose resources it names. */
  readonly kind?: string;
}

/** Values of flags by their names in camelCase: texts, lists of texts, true, and false for "--no-" ones. */
export type FlagValues = Readonly<Record<string, unknown>>;

/** What was written on a command line. */
export interface CommandInput {
  /** Full name of the resource. */
  readonly name: string;
  readonly values: FlagValues;
  /** Words after the name, as written. */
  readonly words: readonly string[];
  /** The resource as it is; only where there is one already. @throws {ZorError} NOT_FOUND */
  current(): Promise<object>;
  /** Full name of another resource: of the same host, where none is written. @throws {ZorError} NOT_FOUND, INVALID_ARGUMENT */
  resolve(kind: string, text: string): Promise<string>;
}

/** How a command of a kind looks. */
interface CommandLook {
  readonly description: string;
  readonly flags: readonly Flag[];
  /** Said in the help after the flags. */
  readonly note?: string;
  /** Words after "zor create lan" and the like: "alpha/lan1 --mtu 9000". */
  readonly examples: readonly string[];
}

/** What came of a command. Methods, not function properties, so that commands of one kind can stand in a list of any. */
export interface Outcome<T extends object = object> {
  /** Full name. */
  readonly name: string;
  readonly values: FlagValues;
  /** The resource as it was made or changed; of what takes its time only when it was waited for. */
  readonly resource: T | undefined;
  readonly response: object;
}

/** `zor create KIND NAME`. Methods return or throw ZorErrors that name the flag. */
export interface CreateCommand<T extends object = object> extends CommandLook {
  readonly words?: readonly Word[];
  /** What it is called, as it would be written, when only the words are given; default: it must be said. */
  nameOf?(words: readonly string[], values: FlagValues): string;
  /** Singular of the kind that these words mean instead, which is created in its way; undefined: this one. */
  kindOf?(words: readonly string[], values: FlagValues): string | undefined;
  /** The resource that words and flags describe. Its fields may be as few as are said: the others have their defaults. */
  read(input: CommandInput): object | Promise<object>;
  /** What the flags that say nothing of the resource put into the request. */
  request?(values: FlagValues): Readonly<Record<string, unknown>>;
  /** What is said while it is made; default: "creating alpha/vm1". */
  making?(name: string, resource: T): string;
  /** What is said, in one line, of what was made; default: "lan alpha/lan1 created". */
  done?(outcome: Outcome<T>): string;
  /** What is said besides, on standard error. */
  notes?(outcome: Outcome<T>): readonly string[];
}

/** A change: what the paths name becomes as it is in the resource, or is cleared when it is not there. */
export interface Change {
  readonly resource: object;
  /** As in an update mask, in snake_case: "spec.a_to_b.delay". */
  readonly paths: readonly string[];
  /** Only if it is still the one of that etag: the change was made from it. */
  readonly etag?: string;
}

/** `zor set KIND NAME`. */
export interface SetCommand<T extends object = object> extends CommandLook {
  /** What the flags that are given change. */
  read(input: CommandInput): Change | Promise<Change>;
  /** What is said, in one line, of what was changed; default: "lan alpha/lan1 changed". */
  done?(outcome: Outcome<T>): string;
}

/** What a kind adds to the commands that go with all kinds; each is there without it as well, where the API has a method for it. */
export interface KindCommands<T extends object = object> {
  readonly create?: CreateCommand<T>;
  readonly set?: SetCommand<T>;
  /** Top-level fields that can be changed, in snake_case. Default: labels, annotations and spec. */
  readonly changeable?: readonly string[];
}

/** The text of a flag; undefined when it is not given. */
export function flagText(values: FlagValues, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

/** The texts of a repeatable flag. */
export function flagTexts(values: FlagValues, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? value.map(String) : [];
}

/** Name by which a flag's value is found: "dryRun" of "--dry-run". */
function valueName({ flags }: Pick<Flag, "flags">): string {
  const [, name = ""] = /--(?:no-)?([\w-]+)/.exec(flags) ?? [];
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Whether a flag was given. @param usual its value when it was not. */
export function isFlagGiven(values: FlagValues, flag: Pick<Flag, "flags">, usual?: string): boolean {
  const value = values[valueName(flag)];
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== usual;
}
