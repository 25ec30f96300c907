import type { QueryCompletion } from "../../lib/query/complete.js";
import type { Impact } from "./impact.js";
import type { Recall } from "./recall.js";

/** Lines that a key goes through, one after the other. */
export interface Cycle {
  readonly lines: readonly string[];
  /** Place of the one that is shown. */
  readonly at: number;
  /** Where in a line begins what is different. */
  readonly from: number;
}

/** What is being typed at the bottom: a command, a filter, or the consent to something that cannot be undone. */
export type Prompt =
  | {
      readonly type: "command";
      readonly text: string;
      readonly recall?: Recall | undefined;
      readonly cycle?: Cycle | undefined;
    }
  | {
      readonly type: "filter";
      readonly text: string;
      readonly recall?: Recall | undefined;
      readonly cycle?: Cycle | undefined;
      /** The filter that comes back when this one is not kept. */
      readonly before: string;
      /** What may be typed, in a few words. Default: a filter of rows. */
      readonly help?: string;
      /** What may follow what is typed. Default: nothing is known. */
      readonly complete?: ((text: string) => QueryCompletion) | undefined;
      /** Filters by what is typed so far. */
      apply(text: string): void;
    }
  | {
      readonly type: "input";
      readonly text: string;
      readonly cycle?: Cycle | undefined;
      /** "move alpha/data, pool" */
      readonly title: string;
      /** What it may be. */
      readonly choices: readonly string[];
      /** It is not shown while it is typed, nor changed before it is given on. */
      readonly isSecret?: boolean;
      /** Goes on with what was typed. @throws {ZorError} when it cannot be that. */
      go(text: string): void;
    }
  | {
      /** One key answers it: y goes ahead, any other one does not. */
      readonly type: "question";
      readonly text: "";
      /** "run ping -c3 vm1" */
      readonly title: string;
      yes(): void;
      no(): void;
    }
  | {
      readonly type: "confirm";
      readonly impact: Impact;
      /** What has to be typed. */
      readonly phrase: string;
      readonly text: string;
      /** Goes ahead. Default: the action is asked for, of each. */
      readonly go?: () => void;
    };
