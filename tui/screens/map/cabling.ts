import { type CableEnd, endText } from "./joining.js";

/** A cable that is being drawn: one end is marked, and the other is looked for. */
export class Cabling {
  #end: CableEnd | undefined;

  /** The marked end; undefined: none is drawn. */
  get end(): CableEnd | undefined {
    return this.#end;
  }

  /** Where the cable begins, for people. */
  get from(): string | undefined {
    return this.#end === undefined ? undefined : endText(this.#end);
  }

  mark(end: CableEnd): void {
    this.#end = end;
  }

  drop(): void {
    this.#end = undefined;
  }
}
