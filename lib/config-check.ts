import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { loadConfig, readConfigFile } from "./config.js";

/** Why a setting may not be changed from afar, by its name; those that are not named may be. */
export type KeptSettings = Readonly<Record<string, string>>;

/** What is to be known of settings before they are used. */
export interface ConfigCheck<Settings> {
  /** With all defaults. */
  readonly settings: Settings;
  /** Names of settings that differ from those of before. */
  readonly changed: readonly string[];
  /** Those of them that may not be changed from afar, each with the reason. */
  readonly refused: readonly { readonly key: string; readonly why: string }[];
}

/**
 * Checks a file of settings, against the one that is in use now. @throws {ZorError} INVALID_ARGUMENT with every fault as
 * "file:line:column key: what is wrong".
 */
export async function checkConfig<Schema extends z.ZodType>(
  schema: Schema,
  { file, before, kept }: { readonly file: string; readonly before: string | undefined; readonly kept: KeptSettings },
): Promise<ConfigCheck<z.output<Schema>>> {
  const settings = await loadConfig(schema, { file });
  if (before === undefined) return { settings, changed: [], refused: [] };
  const [now, old] = [await readConfigFile(file), await readConfigFile(before)];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  const changed = keys.filter((key) => !isDeepStrictEqual(now[key], old[key]));
  const refused = changed.flatMap((key) => {
    const why = Object.hasOwn(kept, key) ? kept[key] : undefined;
    return why === undefined ? [] : [{ key, why }];
  });
  return { settings, changed, refused };
}

/** What "check-config" prints for people. */
export function describeCheck({ changed, refused }: ConfigCheck<unknown>): string {
  const differs = changed.length === 0 ? "" : `; changed: ${changed.join(", ")}`;
  const lines = refused.map(({ key, why }) => `${key} cannot be changed from afar: ${why}`);
  return [`the settings are right${differs}`, ...lines].join("\n");
}
