import { pointAt } from "../../../lib/query/query-error.js";
import { escapeText } from "../../kit/text/escape.js";
import type { Session } from "../session.js";

/** Does something with a query: what is wrong with it is shown below it, before the error tells. */
export async function pointingOut<T>(session: Session, query: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isPlain = escapeText(query) === query;
    const [text, marks] = (isPlain ? pointAt(query, error) : undefined) ?? [];
    if (text !== undefined && marks !== undefined) {
      session.note(`  ${text}`);
      session.note(`  ${marks}`);
    }
    throw error;
  }
}
