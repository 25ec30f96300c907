/** What a word may become. */
export interface Offer {
  /** The whole word. */
  readonly text: string;
  /** What people are shown of it; default: all of it. */
  readonly shown?: string;
  /** What it means, in a line. */
  readonly note?: string;
  /** It takes the place of what is typed, however that begins. */
  readonly isMeant?: boolean;
  /** More has to come in the same word. */
  readonly isBegun?: boolean;
}

/** Offers for words that stand for themselves. */
export function wordOffers(words: Iterable<string>): Offer[] {
  return [...words].map((text) => ({ text }));
}

/** Offers behind the last comma of a list; what is in it already is not offered again. */
export function listOffers(typed: string, words: Iterable<string>): Offer[] {
  const before = typed.slice(0, typed.lastIndexOf(",") + 1);
  const taken = new Set(before.split(",").map((word) => word.trim()));
  return [...words].filter((word) => !taken.has(word)).map((shown) => ({ text: before + shown, shown }));
}

/** Whether a terminal shows a text as it is, in a line of a list. */
export function isShowable(text: string): boolean {
  return text !== "" && text.length <= 100 && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text);
}
