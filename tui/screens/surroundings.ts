import type { Actions } from "../app/actions.js";

/** What keys do outside the model. */
export interface Surroundings {
  readonly actions: Actions;
  /** Attaches to a console with the screen put aside. @throws {ZorError} when that fails. */
  attachConsole(name: string): Promise<void>;
  /** Tests a link and shows what comes out on a screen of its own. */
  diagnose(link: string): void;
  redraw(): void;
  /** Gives the terminal back to the shell until the program is continued. */
  stop(): void;
  resync(): void;
  quit(): void;
}
