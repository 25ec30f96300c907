/** Whether a name is meant by an entry of the agent's settings: the same, or with "*" at the entry's end one that begins so. Pure. */
export function matchesName(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
