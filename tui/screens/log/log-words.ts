/** A name of a file that says what is in it, and when it was saved. */
export function savedName(names: readonly string[], nowMs: number): string {
  const what = names
    .slice(0, 3)
    .join("+")
    .replace(/[^a-zA-Z0-9+.-]+/g, "-");
  const when = new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
  return `${what}-${when}.log`;
}
