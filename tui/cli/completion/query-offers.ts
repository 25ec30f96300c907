import { completeQuery, type QuerySchema, valuesWanted } from "../../../lib/query/complete.js";
import { parseQuery } from "../../../lib/query/parse.js";
import { placeAtEnd } from "../../../lib/query/place-at.js";
import { shortName } from "../../kit/resource-name.js";
import { isShowable, type Offer } from "./offer.js";

/** Finds values that a field has in the fleet, of "labels" the keys of labels. @param typed what they begin with. */
export type AskValues = (field: string, typed: string) => Promise<readonly string[]>;

const joints = new Set(["and", "or", "not", "has", "sort by", "limit"]);
/** A choice that is the only one is gone on with so often. */
const mostSteps = 3;

/**
 * What a query may go on with. What cannot end there, as a field without its operator, is offered with what may follow when it is the only choice:
 * a shell takes the only choice for the end of a word, and closes the quotes.
 */
export async function queryOffers(text: string, schema: QuerySchema, ask: AskValues): Promise<readonly Offer[]> {
  let [typed, offers] = [text, await offersFor(text, schema, ask)];
  for (let step = 0; step < mostSteps; step += 1) {
    const [only, other] = offers;
    if (only === undefined || other !== undefined || only.isBegun !== true) break;
    typed = joints.has(lastOf(only)) ? `${only.text} ` : only.text;
    const next = await offersFor(typed, schema, ask);
    if (next.length === 0) break;
    offers = next;
  }
  return offers;
}

function lastOf({ shown = "" }: Offer): string {
  return shown.trim();
}

async function offersFor(text: string, schema: QuerySchema, ask: AskValues): Promise<readonly Offer[]> {
  const field = valuesWanted(text, text.length, schema);
  const place = placeAtEnd(text);
  const typed = (place?.typed ?? "").replace(/^"/, "").replace(/\\(.)/g, "$1");
  const values = field === undefined ? [] : (await ask(field, typed)).filter(isShowable);
  const known = (wanted: string): readonly string[] => (wanted === field ? values : []);
  const { from, choices } = completeQuery(text, text.length, schema, known);
  const found = choices.map((choice) => {
    const next = text.slice(0, from) + choice;
    return { text: next, shown: choice.trim(), isMeant: true, ...(isWhole(next) ? {} : { isBegun: true }) };
  });
  const [only] = found;
  if (place?.expected !== "listed" || only === undefined || found.length > 1) return found;
  return [",", ")"].map((sign) => ({
    text: only.text + sign,
    shown: only.shown + sign,
    isMeant: true,
    isBegun: sign === ",",
  }));
}

/** Whether people may end a query there: a field alone is one that reads as a word. */
function isWhole(text: string): boolean {
  const place = placeAtEnd(text);
  if (place === undefined) return false;
  const { expected, typed } = place;
  if (expected === "term" || expected === "operator" || expected === "listed") return false;
  if (expected === "joint" && typed !== "") return false;
  try {
    parseQuery(text);
    return true;
  } catch {
    return false;
  }
}

/** Values of names as people write them. @param typed what they begin with. */
export function namesAsTyped(names: readonly string[], typed: string): readonly string[] {
  if (/^[a-z_-]+s\//.test(typed)) return names;
  const short = names.map(shortName);
  return typed.includes("/") ? short : [...short, ...short.map((name) => name.slice(name.lastIndexOf("/") + 1))];
}
