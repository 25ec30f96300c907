/** Whether the API says of a field that only the server sets it. */
export function isReadOnly(comment: string): boolean {
  return /\bread only\b/i.test(comment);
}

const usual = [
  /\bdefaults?:? (?:is )?([^;.()]+)/i,
  /\bunset(?:, or all zero)?: ([^;.]+)/i,
  /\bempty: ([^;.]+)/i,
  /[;.] 0: ([^;.]+)/,
  /"([\w-]+)" \(default\)/,
] as const;

/** What a field is when nothing is said, in the API's own words; empty: it does not say. */
export function usualOf(comment: string): string {
  for (const pattern of [usual[4], ...usual.slice(0, 4)]) {
    const [, found] = pattern.exec(comment) ?? [];
    if (found !== undefined) return found.trim().replace(/^"([^"]*)"$/, "$1");
  }
  return "";
}

/** Words in quotes that a field may be, as the API lists them; none where it gives other examples. */
export function wordsOf(comment: string): readonly string[] {
  const [, listed = ""] =
    /(?:^|: |; )((?:(?:or |one of )?"[\w.-]+"(?: \([^)]*\))?,? ?(?:or )?){2,})/.exec(comment) ?? [];
  return [...listed.matchAll(/"([\w.-]+)"/g)].map(([, word = ""]) => word);
}

/** What a text of a field names. */
export interface Named {
  /** Plurals or singulars, as the API writes them. */
  readonly kinds: readonly string[];
  /** By full name, not by the id on the same host. */
  readonly isFull: boolean;
}

/** Of which kinds a field names a resource; undefined: it names none. */
export function namedBy(comment: string): Named | undefined {
  const full = [...comment.matchAll(/"(?:hosts\/\{host\}\/)?([a-z0-9]+)\/\{[a-z0-9]+\}(\/nics\/\{nic\})?"/g)].map(
    ([, plural = "", nic]) => (nic === undefined ? plural : "nics"),
  );
  if (full.length > 0) return { kinds: full, isFull: true };
  const [, kind] = /\b[Ii]d of (?:a|an|the) (\w+)/.exec(comment) ?? [];
  return kind === undefined ? undefined : { kinds: [kind], isFull: false };
}

/** Whether a field names a file that images of the host are. */
export function isImageFile(comment: string): boolean {
  return /image director(?:y|ies) of the agent/.test(comment);
}
