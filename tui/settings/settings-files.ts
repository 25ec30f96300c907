import { z } from "zod";

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

/** Every file of settings of the terminal interface. */
export const settingsFiles = { aliases } as const;

export type SettingsName = keyof typeof settingsFiles;

/** What the files say. */
export type SettingsValues = { readonly [Name in SettingsName]: (typeof settingsFiles)[Name]["empty"] };
