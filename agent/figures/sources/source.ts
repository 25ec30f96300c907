/** Where figures come from. */
export interface Source {
  /** Sets what is measured to what it is now. */
  collect(): void | Promise<void>;
  /** Lets go of what it reads. */
  close(): void;
}

/** Lets others have their turn: a sample of many must not hold the agent. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
