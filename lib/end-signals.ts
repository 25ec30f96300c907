const endSignalNames = ["SIGTERM", "SIGINT"] as const;

export interface EndSignalOptions {
  /** How long the process may take to end by itself, from the first signal, in milliseconds. */
  readonly longestMs: number;
  /** Exit code of a process that took longer. */
  readonly lateCode: number;
}

/**
 * From now on SIGTERM and SIGINT end this process in good order: the returned signal aborts, its reason the signal's name. A daemon calls this
 * before anything else that can be seen of it: whoever finds its files or its addresses may ask it to end at once, and the kernel's own way to do
 * that closes nothing and has no exit code. One that still starts is to go on until it serves, and end then.
 */
export function endSignal({ longestMs, lateCode }: EndSignalOptions): AbortSignal {
  const ending = new AbortController();
  for (const name of endSignalNames) {
    process.on(name, () => {
      // A terminal's Ctrl-C may reach a daemon from its terminal and from the program that started it.
      if (ending.signal.aborted) return;
      ending.abort(name);
      setTimeout(() => process.exit(lateCode), longestMs).unref();
    });
  }
  return ending.signal;
}

/** Resolves to the reason of a signal of {@link endSignal}, when it comes or has come. */
export function ended(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const tell = (): void => resolve(String(signal.reason));
    if (signal.aborted) tell();
    else signal.addEventListener("abort", tell, { once: true });
  });
}
