import { resourceExhausted } from "../../../lib/errors.js";
import type { ScreenProtocol } from "../../drivers/abilities/screen.js";

/** SPICE takes a dozen for one viewer. */
const mostOfCaller = 32;
const mostOfScreen = 128;

/** Bytes that a connection carried. */
export interface Carried {
  readonly in: number;
  readonly out: number;
}

/** What a caller's connections by one protocol came to, since there was none. */
export interface Visit {
  readonly caller: string;
  readonly protocol: ScreenProtocol;
  open: number;
  /** Connections that were made, those that have ended too. */
  made: number;
  in: number;
  out: number;
}

/** The connections to the screen of one instance. */
export class ScreenViewers {
  readonly #visits: Visit[] = [];

  /**
   * One more, until the returned function is called with what it carried, or with undefined when it was never made. That returns what to tell
   * when it was the last of the caller's: the channels of one viewer are told as one.
   * @throws {ZorError} RESOURCE_EXHAUSTED
   */
  enter(
    resource: string,
    { caller, protocol }: Pick<Visit, "caller" | "protocol">,
  ): (carried: Carried | undefined) => Visit | undefined {
    const own = this.#visits.filter((each) => each.caller === caller);
    if (count(own) >= mostOfCaller) throw tooMany(resource, `you have ${mostOfCaller}`);
    if (count(this.#visits) >= mostOfScreen) throw tooMany(resource, `there are ${mostOfScreen}`);
    const found = own.find((each) => each.protocol === protocol);
    const visit = found ?? { caller, protocol, open: 0, made: 0, in: 0, out: 0 };
    if (found === undefined) this.#visits.push(visit);
    visit.open += 1;
    return (carried) => {
      visit.open -= 1;
      if (carried !== undefined) {
        visit.made += 1;
        visit.in += carried.in;
        visit.out += carried.out;
      }
      if (visit.open > 0) return undefined;
      this.#visits.splice(this.#visits.indexOf(visit), 1);
      return visit.made > 0 ? visit : undefined;
    };
  }
}

function count(visits: readonly Visit[]): number {
  return visits.reduce((sum, { open }) => sum + open, 0);
}

function tooMany(resource: string, whose: string): Error {
  const message = `${resource}: ${whose} connections to its screen, which is all that may be; close a viewer first`;
  return resourceExhausted("TOO_MANY_VIEWERS", message, resource);
}
