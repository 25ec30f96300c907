import { failedPrecondition } from "../../../lib/errors.js";
import { escapeText } from "../../kit/text/escape.js";
import type { Session } from "../session.js";

/** Tells what a copy leaves out, and remembers whether any of it was wanted. */
export class LeftOut {
  readonly #session: Pick<Session, "note">;
  #lost = 0;

  constructor(session: Pick<Session, "note">) {
    this.#session = session;
  }

  /** @param lost it may hold what somebody wanted: a file, unlike a device or a socket. */
  readonly tell = (what: string, lost = false): void => {
    this.#session.note(escapeText(`zor: left out: ${what}`));
    if (lost) this.#lost += 1;
  };

  /** @throws {ZorError} FAILED_PRECONDITION when something was lost. */
  assertNothingLost(resource: string): void {
    if (this.#lost === 0) return;
    const what = this.#lost === 1 ? "one file or directory was" : `${this.#lost} files or directories were`;
    throw failedPrecondition("COPY_INCOMPLETE", resource, `${what} left out, as told above; all else was copied`);
  }
}
