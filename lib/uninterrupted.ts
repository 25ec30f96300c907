/** Aborts never: undoing and cleaning up must not be cut short by whoever asked for the work. */
export const uninterrupted = new AbortController().signal;
