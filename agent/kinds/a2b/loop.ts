/** Two lans that something joins. */
interface Joint {
  readonly lanA: string;
  readonly lanB: string;
}

/** The lans of the loop that a new joint would close, beginning at its side a; undefined when it closes none. */
export function findLoop(added: Joint, present: readonly Joint[]): readonly string[] | undefined {
  const paths = new Map<string, readonly string[]>([[added.lanA, [added.lanA]]]);
  // A map is walked in the order of insertion, what is added on the way included.
  for (const [lan, path] of paths) {
    if (lan === added.lanB) return path;
    for (const { lanA, lanB } of present) {
      const other = lanA === lan ? lanB : lanB === lan ? lanA : undefined;
      if (other !== undefined && !paths.has(other)) paths.set(other, [...path, other]);
    }
  }
  return undefined;
}
