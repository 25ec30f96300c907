import { Buffer } from "node:buffer";

/** More than this most terminals do not take. */
const mostBytes = 74_000;
/** GNU screen takes no longer pieces. */
const screenPiece = 700;

/**
 * What a terminal is sent to put a text into the clipboard (OSC 52), also through tmux, which takes it itself or passes it on, and screen;
 * undefined: the text is too long for terminals.
 */
export function clipboardSequence(text: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const encoded = Buffer.from(text, "utf8").toString("base64");
  if (encoded.length > mostBytes) return undefined;
  const sequence = `\x1b]52;c;${encoded}\x07`;
  if ((env["TMUX"] ?? "") !== "") return `${sequence}\x1bPtmux;${sequence.replaceAll("\x1b", "\x1b\x1b")}\x1b\\`;
  if ((env["STY"] ?? "") === "" && !/^screen/.test(env["TERM"] ?? "")) return sequence;
  const pieces = sequence.match(new RegExp(`[^]{1,${screenPiece}}`, "g")) ?? [];
  return pieces.map((piece) => `\x1bP${piece}\x1b\\`).join("");
}
