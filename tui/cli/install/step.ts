/** Tells what is being done. */
export type Step = (text: string) => void;

/** Something that may have to be done on a machine. */
export interface Task {
  /** For people: "version". */
  readonly name: string;
  readonly isNeeded: boolean;
  readonly run: () => Promise<void>;
}
