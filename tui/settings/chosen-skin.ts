import type { SettingsValues } from "./settings-files.js";

/** The skin that everything is drawn in unless something else is said. */
const usualSkin = "dark";

/**
 * Name of the skin that is drawn in at a context: its own, else the one for all. Where several contexts are seen in one view, "paris+rome", it is
 * that of the view, else of the first of them that has one.
 */
export function chosenSkin({ settings }: Pick<SettingsValues, "settings">, context: string): string {
  const found = [context, ...context.split("+")].map((name) => skinOfContext(settings.contextSkins ?? {}, name));
  return found.find((skin) => skin !== undefined) ?? settings.skin ?? usualSkin;
}

function skinOfContext(skins: Readonly<Record<string, string>>, context: string): string | undefined {
  if (Object.hasOwn(skins, context)) return skins[context];
  return Object.entries(skins).find(([pattern]) => pattern.includes("*") && isLike(context, pattern))?.[1];
}

/** Whether a name is like a pattern, in which "*" stands for anything. */
function isLike(name: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop() ?? "";
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}
