/** Lines that were typed before, a bounded number of them, none twice. */
export class TypedLines {
  readonly #limit: number;
  #lines: readonly string[];

  /** @param lines the newest first. */
  constructor(limit: number, lines: readonly string[] = []) {
    this.#limit = limit;
    this.#lines = lines.slice(0, limit);
  }

  /** The newest first. */
  get all(): readonly string[] {
    return this.#lines;
  }

  add(line: string): void {
    const text = line.trim();
    if (text !== "") this.#lines = [text, ...this.#lines.filter((each) => each !== text)].slice(0, this.#limit);
  }
}

/** Where somebody is in the lines that were typed before. */
export interface Recall {
  /** Place of the line that is shown, the newest being 0; -1: what was being typed. */
  readonly at: number;
  /** What was being typed. */
  readonly draft: string;
  /** What is searched for; undefined while nothing is. */
  readonly searched?: string;
}

/** What is being typed. */
export interface Typing {
  readonly text: string;
  readonly recall?: Recall | undefined;
}

/** What a key of a line that can be recalled makes of what is typed; undefined for keys that do something else. */
export function recalled({ text, recall }: Typing, chord: string, lines: readonly string[]): Typing | undefined {
  const now = recall ?? { at: -1, draft: text };
  if (now.searched !== undefined) return searching({ ...now, searched: now.searched }, text, { chord, lines });
  if (chord === "ctrl-r") return { text, recall: { ...now, searched: "" } };
  if (chord === "up" || chord === "ctrl-p") return shown(now, Math.min(now.at + 1, lines.length - 1), lines);
  if (chord === "down" || chord === "ctrl-n") return shown(now, Math.max(-1, now.at - 1), lines);
  return undefined;
}

function searching(
  recall: Recall & { readonly searched: string },
  text: string,
  { chord, lines }: { readonly chord: string; readonly lines: readonly string[] },
): Typing | undefined {
  const search = (searched: string, from: number): Typing => {
    const wanted = searched.toLowerCase();
    const at =
      searched === "" ? -1 : lines.findIndex((line, index) => index >= from && line.toLowerCase().includes(wanted));
    if (at < 0) return { text, recall: { ...recall, searched } };
    return { text: lines[at] ?? text, recall: { ...recall, at, searched } };
  };
  if (chord === "esc") return { text: recall.draft };
  if (chord === "ctrl-r") return search(recall.searched, recall.at + 1);
  if (chord === "backspace") return search([...recall.searched].slice(0, -1).join(""), 0);
  const typed = chord === "space" ? " " : chord;
  return [...typed].length === 1 ? search(recall.searched + typed, 0) : undefined;
}

function shown(recall: Recall, at: number, lines: readonly string[]): Typing {
  return { text: at < 0 ? recall.draft : (lines[at] ?? recall.draft), recall: { ...recall, at } };
}
