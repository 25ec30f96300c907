import type { Impact } from "./impact.js";
import type { Recall } from "./recall.js";

/** What is being typed at the bottom: a command, a filter, or the consent to something that cannot be undone. */
export type Prompt =
  | { readonly type: "command"; readonly text: string; readonly recall?: Recall | undefined }
  | {
      readonly type: "filter";
      readonly text: string;
      readonly recall?: Recall | undefined;
      /** The filter that comes back when this one is not kept. */
      readonly before: string;
      /** What may be typed, in a few words. Default: a filter of rows. */
      readonly help?: string;
      /** Filters by what is typed so far. */
      apply(text: string): void;
    }
  | {
      readonly type: "input";
      readonly text: string;
      /** "move alpha/data, pool" */
      readonly title: string;
      /** What it may be. */
      readonly choices: readonly string[];
      /** Goes on with what was typed. @throws {ZorError} when it cannot be that. */
      go(text: string): void;
    }
  | {
      readonly type: "confirm";
      readonly impact: Impact;
      /** What has to be typed. */
      readonly phrase: string;
      readonly text: string;
    };
