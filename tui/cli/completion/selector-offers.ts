import { isShowable, type Offer } from "./offer.js";
import type { AskValues } from "./query-offers.js";

const compared = /^(\s*)([^\s!=,()]+)(\s*(?:==|!=|=)\s*)([\s\S]*)$/;
const listed = /^(\s*)([^\s!=,()]+)(\s+(?:in|notin)\s*\((?:[^()]*,)?\s*)([^(),]*)$/;
const key = /^(\s*!?\s*)([^\s!=,()]*)$/;
/** What the value of a label can be in a selector, where nothing is quoted. */
const plain = /^[^\s,()=!]+$/;

/** What a selector of labels may go on with: keys that the fleet has, and their values. */
export async function selectorOffers(text: string, ask: AskValues): Promise<readonly Offer[]> {
  // Commas between parentheses part values.
  const from = text.search(/(?:[^,(]|\([^)]*(?:\)|$))*$/);
  const [head, part] = [text.slice(0, from), text.slice(from)];
  const [, , ofKey = "", before, typed = ""] = listed.exec(part) ?? compared.exec(part) ?? [];
  if (before !== undefined) {
    const start = text.length - typed.length;
    const values = await ask(`label.${keyText(ofKey)}`, typed);
    return begun(values, typed)
      .filter((value) => plain.test(value))
      .map((value) => ({ text: text.slice(0, start) + value, shown: value }));
  }
  const [, sign, begunKey] = key.exec(part) ?? [];
  if (sign === undefined || begunKey === undefined) return [];
  const keys = begun(await ask("labels", begunKey), begunKey);
  const isNot = sign.includes("!");
  const [only] = keys;
  if (keys.length === 1 && only !== undefined && !isNot) {
    return ["=", "!=", " in ("].map((next) => ({
      ...{ text: `${head}${sign}${only}${next}`, shown: `${only}${next}`, isBegun: true },
    }));
  }
  return keys.map((each) => ({ text: `${head}${sign}${each}`, shown: each }));
}

function begun(words: readonly string[], typed: string): readonly string[] {
  return [...new Set(words)].filter((word) => isShowable(word) && word.startsWith(typed)).sort();
}

function keyText(label: string): string {
  return /^[\w-]+$/.test(label) ? label : JSON.stringify(label);
}
