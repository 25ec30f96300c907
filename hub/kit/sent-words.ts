/** A number of MiB for people. */
export function mib(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(1);
}

/** How far something is that is copied to a host, as the step of an operation. @param more what is peculiar to it. */
export function sentWords(target: string, done: { readonly sent: number; readonly of: string }, more = ""): string {
  return `${target}: ${mib(done.sent)} of ${done.of} MiB sent${more}`;
}
