import { listContexts } from "../client/contexts.js";
import { escapeText } from "../kit/text/escape.js";
import type { Session } from "./session.js";

/** What a command about contexts changed: made, forgot or chose one. */
export interface ContextChange {
  /** The current context before. */
  readonly before: string | undefined;
  /** The context it was about. */
  readonly name: string;
}

/** Says on stderr which context plain commands use from now on: nobody should change another fleet than is meant. */
export async function noteCurrent(session: Session, { before, name }: ContextChange): Promise<void> {
  const { current, contexts } = await listContexts(session.configDirectory);
  session.note(escapeText(currentText({ before, name, current, count: contexts.length })));
  const fromEnvironment = session.io.env["ZOR_CONTEXT"];
  if (fromEnvironment && fromEnvironment !== current) {
    session.note(escapeText(`ZOR_CONTEXT=${fromEnvironment} is set in this shell and goes before it`));
  }
}

function currentText(facts: ContextChange & { readonly current: string | undefined; readonly count: number }): string {
  const { before, name, current, count } = facts;
  if (count === 0) return "no context is left; join a hub with: zor join TOKEN";
  if (current === undefined) return "no context is current now; choose one with: zor context use NAME";
  if (current === name && current === before) return `context ${current} is the current one, as before`;
  if (current === name && before === undefined) return `context ${current} is the current one now`;
  if (current === name && before !== undefined) {
    return `context ${current} is the current one now, instead of ${before}; back with: zor context use ${before}`;
  }
  return `context ${current} is still the current one; for another: zor --context NAME ..., or zor context use NAME`;
}
