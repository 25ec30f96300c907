/** Shells that have a script of zor's. */
export const shells = ["bash", "zsh", "fish"] as const;

/** How a shell reads words; "plain": they are read already. */
export type Shell = (typeof shells)[number] | "plain";

/** The word of a command line that is being typed, up to the cursor. */
export interface TypedWord {
  /** As it stands on the line. */
  readonly raw: string;
  /** As the command would get it. */
  readonly text: string;
  /** The quote that is not closed, and its place in {@link raw}; -1: none is. */
  readonly open: "" | "'" | '"';
  readonly openAt: number;
}

/** What the line goes on with, in a shell's own form. */
export interface Quoting {
  readonly shell: Shell;
  /** Blanks part words there anyway, which are put together again with one blank between them. */
  readonly keepsBlanks: boolean;
}

/** {@link Quoting}, and whether the word ends with it. */
export interface Ending extends Quoting {
  readonly isEnd: boolean;
}

/** Characters that a backslash takes its meaning from, between double quotes. */
const escapable = { bash: '$`"\\\n', zsh: '$`"\\\n', fish: '$"\\\n', plain: "" } as const;

/** Reads a word in a shell's quotes as far as it goes. Nothing is expanded. */
export function readWord(raw: string, shell: Shell): TypedWord {
  if (shell === "plain") return { raw, text: raw, open: "", openAt: -1 };
  let text = "";
  let open: TypedWord["open"] = "";
  let openAt = -1;
  for (let at = 0; at < raw.length; at += 1) {
    const [sign = "", next] = [raw[at], raw[at + 1]];
    if (open === "") {
      if (sign === "'" || sign === '"') [open, openAt] = [sign, at];
      else if (sign !== "\\") text += sign;
      else if (next !== undefined) {
        text += next;
        at += 1;
      }
    } else if (sign === open) [open, openAt] = ["", -1];
    else if (sign === "\\" && next !== undefined && isEscaped(next, open, shell)) {
      text += next;
      at += 1;
    } else text += sign;
  }
  return { raw, text, open, openAt };
}

function isEscaped(next: string, open: "'" | '"', shell: Exclude<Shell, "plain">): boolean {
  if (open === "'") return shell === "fish" && (next === "'" || next === "\\");
  return escapable[shell].includes(next);
}

/** The words of a line as they stand there, parted where bash parts them; the last, which may be empty, is being typed. */
export function wordsOfLine(line: string): readonly string[] {
  const words: string[] = [];
  let raw = "";
  for (let at = 0; at < line.length; at += 1) {
    const sign = line[at] ?? "";
    if (/\s/.test(sign)) {
      const { open } = readWord(raw, "bash");
      if (open === "" && !/(?:^|[^\\])(?:\\\\)*\\$/.test(raw)) {
        if (raw !== "") words.push(raw);
        raw = "";
        continue;
      }
    }
    raw += sign;
  }
  return [...words, raw];
}

/** A text as it goes on behind what is typed: in the quote that is open there, or with backslashes. */
export function quoted(text: string, open: TypedWord["open"], { shell, keepsBlanks }: Quoting): string {
  if (shell === "plain") return text;
  if (open === "'") return shell === "fish" ? text.replace(/['\\]/g, "\\$&") : text.replaceAll("'", "'\\''");
  if (open === '"') return text.replace(shell === "fish" ? /[\\"$]/g : /[\\"$`]/g, "\\$&");
  const escaped = text.replace(/[^\p{L}\p{N}_@%+=:,./ !-]|!(?!=)/gu, "\\$&");
  return escaped.replace(keepsBlanks ? / {2,}/g : / /g, (blanks) => "\\ ".repeat(blanks.length));
}

/** Whether a text can stand there: between double quotes a shell takes "!" for a call of its history, whatever stands before it. */
function isSafe(text: string, { open }: TypedWord, shell: Shell): boolean {
  return open !== '"' || shell === "fish" || shell === "plain" || !/!(?![=\s(]|$)/.test(text);
}

/**
 * What readline puts in the place of what it takes for the word: the part behind an open quote, else behind the last character that parts
 * words there (COMP_WORDBREAKS). Undefined: the wanted word does not begin as what stands before that.
 */
export function bashReply(
  typed: TypedWord,
  wanted: string,
  more: Ending & { readonly breaks: string },
): string | undefined {
  const { raw, open, openAt } = typed;
  const from = open === "" ? lastBreak(raw, more.breaks) + 1 : openAt + 1;
  const rest = behind(readWord(raw.slice(0, open === "" ? from : openAt), "bash").text, typed, { wanted, ...more });
  // Readline closes the quote, but not where what it puts in ends with a quote of that kind: it takes that one for the end.
  return more.isEnd && open !== "" && rest?.endsWith(open) === true ? rest + open : rest;
}

function lastBreak(raw: string, breaks: string): number {
  let last = -1;
  for (let at = 0; at < raw.length; at += 1) {
    const sign = raw[at] ?? "";
    if (!breaks.includes(sign) || sign === "'" || sign === '"') continue;
    // Quoted ones part nothing.
    const { text, open } = readWord(raw.slice(0, at + 1), "bash");
    const isEscaped = raw[at - 1] === "\\" && text !== readWord(raw.slice(0, at - 1), "bash").text;
    if (open === "" && !isEscaped) last = at;
  }
  return last;
}

/** What zsh is to put in the place of the word; an open quote at its beginning stays by itself, one within it is closed here. */
export function zshMatch(typed: TypedWord, wanted: string, more: Ending): string | undefined {
  const { raw, open, openAt } = typed;
  if (open === "") return behind("", typed, { wanted, ...more });
  const before = raw.slice(0, openAt);
  const rest = behind(readWord(before, "zsh").text, typed, { wanted, ...more });
  if (rest === undefined || openAt === 0) return rest;
  return `${before}${open}${rest}${more.isEnd ? open : ""}`;
}

function behind(before: string, typed: TypedWord, more: Quoting & { readonly wanted: string }): string | undefined {
  const { wanted, shell } = more;
  if (!wanted.startsWith(before) || !isSafe(wanted.slice(before.length), typed, shell)) return undefined;
  return quoted(wanted.slice(before.length), typed.open, more);
}
