import { z } from "zod";
import { type Plugin, pluginSchema } from "./plugin.js";
import { type Hotkeys, type Keymap, whyNoKey } from "../kit/keys/keymap.js";
import { terminalColours, tones, type UserSkin } from "../kit/skin.js";
import { mostSorted, type TableLook } from "../kit/table/table-look.js";

/** Text of a line that somebody may have typed. */
const line = z.string().trim().min(1, "must not be empty");
/** A word of the command line that a user makes up. */
const word = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]*$/i, "is no word: letters, digits, dots, dashes and underscores only");

/** A file of settings: its name, what may stand in it, and what it says to whoever opens it. */
export interface SettingsFile<T extends object> {
  readonly name: string;
  readonly schema: z.ZodType<T>;
  readonly empty: T;
  /** First lines of a file that this program writes. */
  readonly head: string;
}

const aliases: SettingsFile<Readonly<Record<string, string>>> = {
  name: "aliases.yaml",
  schema: z.record(word, line),
  empty: {},
  head: '# Words for the command line of zor tui: "web: instances /role=web".',
};

const sorted = { by: z.string(), descending: z.boolean().default(false) };

const look = {
  columns: z.array(z.string()).min(1, "must name a column; leave it out for the usual ones").optional(),
  widths: z.record(z.string(), z.number().int().min(3).max(120)).optional(),
  sort: z
    .strictObject({
      ...sorted,
      thenBy: z
        .array(z.strictObject(sorted))
        .max(mostSorted - 1)
        .optional(),
    })
    .optional(),
  wide: z.boolean().optional(),
};

const tables: SettingsFile<Readonly<Record<string, TableLook>>> = {
  name: "tables.yaml",
  schema: z.record(z.string(), z.strictObject(look)),
  empty: {},
  head: "# How tables look, by kind; written by zor tui as well.",
};

/** A table that was kept with all that makes it what it is. */
export interface SavedView extends TableLook {
  /** Word of its kind: "instances". */
  readonly table: string;
  readonly host?: string | undefined;
  readonly filter?: string | undefined;
  /** Only what asks for a look. */
  readonly faults?: boolean | undefined;
}

const views: SettingsFile<Readonly<Record<string, SavedView>>> = {
  name: "views.yaml",
  schema: z.record(
    word,
    z.strictObject({
      table: z.string(),
      host: z.string().optional(),
      filter: z.string().optional(),
      faults: z.boolean().optional(),
      ...look,
    }),
  ),
  empty: {},
  head: "# Views of zor tui: tables with their filter, columns and order. :save-view NAME writes them, :view NAME opens them.",
};

/** Where a row leads to. */
export interface Jump {
  /** Singulars of the kinds whose rows lead there. */
  readonly kinds: readonly string[];
  /** A line of the command line with {name}, {id}, {host} and {label.KEY} of the row. */
  readonly to: string;
}

const jumps: SettingsFile<Readonly<Record<string, Jump>>> = {
  name: "jumps.yaml",
  schema: z.record(z.string(), z.strictObject({ kinds: z.array(z.string()).min(1), to: line })),
  empty: {},
  head: "# Jumps of zor tui, from a row to what is related: \"twins: {kinds: [instance], to: 'instances /role={label.role}'}\".",
};

const chord = z.string().superRefine((text, context) => {
  const why = whyNoKey(text);
  if (why !== undefined) context.addIssue({ code: "custom", message: why });
});

const keys: SettingsFile<Keymap> = {
  name: "keys.yaml",
  schema: z.record(
    z.string(),
    z.union([z.array(chord), chord.transform((key) => [key])], { error: (issue) => unionFault(issue.input) }),
  ),
  empty: {},
  head: '# Keys of zor tui by what they do: "details: [d, ctrl-o]"; zor tui --print-keymap lists all.',
};

const hotkeys: SettingsFile<Hotkeys> = {
  name: "hotkeys.yaml",
  schema: z.record(chord, line),
  empty: {},
  head: '# Keys of zor tui that run a line of the command line: "ctrl-o: instances /state=stopped".',
};

/** What is wrong with something that is neither a key nor a list of keys. */
function unionFault(input: unknown): string {
  const given: readonly unknown[] = Array.isArray(input) ? input : [input];
  for (const each of given) if (typeof each === "string" && whyNoKey(each) !== undefined) return whyNoKey(each) ?? "";
  return "must be a key or a list of keys, in quotes where they are signs";
}

const color = z
  .string()
  .refine(
    (text) => /^#[0-9a-f]{6}$/i.test(text) || text === "gray" || terminalColours.includes(text.replace(/Bright$/, "")),
    `must be one of ${terminalColours.join(", ")}, each also with Bright, gray, or "#rrggbb"`,
  );
const toneStyle = z.strictObject({
  color: color.optional(),
  backgroundColor: color.optional(),
  bold: z.boolean().optional(),
  underline: z.boolean().optional(),
  dimColor: z.boolean().optional(),
  inverse: z.boolean().optional(),
});

const skins: SettingsFile<Readonly<Record<string, UserSkin>>> = {
  name: "skins.yaml",
  schema: z.record(
    word,
    z.strictObject({
      extends: z.string().optional(),
      ascii: z.boolean().optional(),
      tones: z.partialRecord(z.enum(tones), toneStyle).optional(),
    }),
  ),
  empty: {},
  head: '# Skins of zor tui: "mine: {extends: light, tones: {good: {color: blue}}}"; :skin mine chooses one.',
};

const settings: SettingsFile<{
  readonly skin?: string | undefined;
  /** Skins of contexts, by names that may hold "*": the first that a context's name is like. */
  readonly contextSkins?: Readonly<Record<string, string>> | undefined;
  readonly mouse?: boolean | undefined;
  readonly typeNumberAbove: number;
}> = {
  name: "settings.yaml",
  schema: z.strictObject({
    skin: z.string().optional(),
    contextSkins: z.record(z.string(), z.string()).optional(),
    mouse: z.boolean().optional(),
    typeNumberAbove: z.number().int().min(1).max(10_000).default(20),
  }),
  empty: { typeNumberAbove: 20 },
  head: "# Settings of zor tui.",
};

const plugins: SettingsFile<Readonly<Record<string, Plugin>>> = {
  name: "plugins.yaml",
  schema: z.record(word, pluginSchema),
  empty: {},
  head: "# Commands of your own for zor tui: \"ping: {title: ping it, kinds: [host], command: [ping, -c3, '{id}']}\".",
};

/** Every file of settings of the terminal interface. */
export const settingsFiles = { aliases, tables, views, jumps, keys, hotkeys, skins, settings, plugins } as const;

export type SettingsName = keyof typeof settingsFiles;

/** What the files say. */
export type SettingsValues = { readonly [Name in SettingsName]: (typeof settingsFiles)[Name]["empty"] };
