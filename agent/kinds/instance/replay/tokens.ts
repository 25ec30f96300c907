/** A piece of what a program wrote to its terminal. Positions are byte offsets; `end` is the first byte after it. */
export type Token =
  /** Characters to be shown, as they were: UTF-8, or single bytes that are neither UTF-8 nor controls. */
  | { readonly type: "text"; readonly begin: number; readonly end: number }
  /** A C0 control or DEL, also one inside of a sequence: terminals act on it at once. */
  | { readonly type: "control"; readonly code: number }
  /** ESC, intermediates and a final byte. */
  | { readonly type: "escape"; readonly intermediates: string; readonly final: string }
  /** CSI with everything up to its final byte. */
  | {
      readonly type: "csi";
      /** "?", ">" and the like; empty: none. */
      readonly prefix: string;
      readonly params: string;
      readonly intermediates: string;
      readonly final: string;
    }
  /** OSC, DCS and the like, to their terminator. */
  | { readonly type: "string"; readonly kind: StringKind; readonly begin: number; readonly end: number }
  /** The output ends within a sequence or a character; `begin` is where that starts. */
  | { readonly type: "unfinished"; readonly kind: StringKind | "sequence" | "character"; readonly begin: number };

/** What begins a control string: OSC, DCS, and those that no terminal shows anything of (APC, PM, SOS). */
export type StringKind = "osc" | "dcs" | "other";

const bel = 0x07;
const cancel = 0x18;
const substitute = 0x1a;
const esc = 0x1b;
const del = 0x7f;
/** Longest CSI or escape sequence that is taken for one. */
const longestSequence = 256;

const stringKinds: Readonly<Record<string, StringKind>> = {
  "]": "osc",
  P: "dcs",
  X: "other",
  "^": "other",
  _: "other",
};

/**
 * Takes terminal output apart, as the parser for VT500 terminals does (vt100.net/emu/dec_ansi_parser): controls inside of
 * sequences are acted on, CAN, SUB and ESC cut a sequence off, C1 controls stand for their 7-bit forms whether they are one
 * byte or UTF-8. What is cut off is given as nothing: a terminal that is sent only the tokens is never inside of a sequence.
 */
export function* tokens(output: Uint8Array): Generator<Token, void, undefined> {
  let at = 0;
  while (at < output.length) {
    const begin = at;
    const code = output[at] ?? 0;
    if (code === esc || isC1(output, at)) {
      const pieces: Token[] = [];
      at = readSequence(output, at, pieces);
      yield* pieces;
    } else if (code < 0x20 || code === del) {
      at += 1;
      yield { type: "control", code };
    } else {
      at = endOfText(output, at);
      if (at > begin) yield { type: "text", begin, end: at };
      else {
        yield { type: "unfinished", kind: "character", begin };
        return;
      }
    }
  }
}

/** Reads what ESC or a C1 control begins; gives where it ends. */
function readSequence(output: Uint8Array, begin: number, pieces: Token[]): number {
  let at = begin + 1;
  let introducer: string;
  let intermediates = "";
  if (output[begin] === esc) {
    for (;;) {
      const code = output[at];
      if (code === undefined) return unfinished(output, begin, "sequence", pieces);
      if (code === esc || code >= 0x80) return at;
      at += 1;
      if (code === cancel || code === substitute) return at;
      if (code < 0x20) pieces.push({ type: "control", code });
      else if (code < 0x30) intermediates += String.fromCharCode(code);
      else if (code !== del) {
        introducer = String.fromCharCode(code);
        break;
      }
      if (at - begin > longestSequence) return at;
    }
  } else {
    const code = c1Of(output, begin);
    at = begin + code.length;
    introducer = String.fromCharCode(code.code - 0x40);
  }
  if (intermediates === "" && introducer === "[") return readCsi(output, { begin, at }, pieces);
  const kind = intermediates === "" && Object.hasOwn(stringKinds, introducer) ? stringKinds[introducer] : undefined;
  if (kind !== undefined) return readString(output, { begin, at, kind }, pieces);
  pieces.push({ type: "escape", intermediates, final: introducer });
  return at;
}

function readCsi(output: Uint8Array, place: { readonly begin: number; readonly at: number }, pieces: Token[]): number {
  let { at } = place;
  let text = "";
  for (;;) {
    const code = output[at];
    if (code === undefined) return unfinished(output, place.begin, "sequence", pieces);
    if (code === esc || code >= 0x80) return at;
    at += 1;
    if (code === cancel || code === substitute) return at;
    if (code < 0x20) pieces.push({ type: "control", code });
    else if (code !== del) text += String.fromCharCode(code);
    if (code >= 0x40 && code !== del) break;
    if (at - place.begin > longestSequence) return at;
  }
  const [, prefix = "", params = "", intermediates = "", final] =
    /^([<-?]?)([0-9:;]*)([ -/]*)([@-~])$/.exec(text) ?? [];
  if (final !== undefined) pieces.push({ type: "csi", prefix, params, intermediates, final });
  return at;
}

/** To ST, for OSC also BEL. All but DCS is cut off by any other control, so that one without an end hides a line at most. */
function readString(
  output: Uint8Array,
  place: { readonly begin: number; readonly at: number; readonly kind: StringKind },
  pieces: Token[],
): number {
  const { kind } = place;
  let { at } = place;
  for (;;) {
    const code = output[at];
    if (code === undefined) return unfinished(output, place.begin, kind, pieces);
    const c1 = isC1(output, at) ? c1Of(output, at) : undefined;
    const isEscape = code === esc;
    if (isEscape && output[at + 1] === undefined) return unfinished(output, place.begin, kind, pieces);
    const isTerminator = (isEscape && output[at + 1] === 0x5c) || c1?.code === 0x9c;
    if (isTerminator || (kind === "osc" && code === bel)) {
      pieces.push({ type: "string", kind, begin: place.at, end: at });
      return at + (isEscape ? 2 : (c1?.length ?? 1));
    }
    if (isEscape || c1 !== undefined) return at;
    if (code === cancel || code === substitute) return at + 1;
    if (code < 0x20 && kind !== "dcs") return at;
    at += Math.max(1, characterLength(output, at));
  }
}

function unfinished(output: Uint8Array, begin: number, kind: StringKind | "sequence", pieces: Token[]): number {
  pieces.push({ type: "unfinished", kind, begin });
  return output.length;
}

/** The end of the characters from here; `at` itself when the output ends within the first of them. */
function endOfText(output: Uint8Array, begin: number): number {
  let at = begin;
  while (at < output.length) {
    const code = output[at] ?? 0;
    if (code < 0x20 || code === del || isC1(output, at)) break;
    const length = characterLength(output, at);
    if (length === 0) break;
    at += length;
  }
  return at;
}

/** Whether a C1 control stands here: a byte that is part of no UTF-8 character, or the two of its UTF-8 form. */
function isC1(output: Uint8Array, at: number): boolean {
  const code = output[at] ?? 0;
  if (code >= 0x80 && code < 0xa0) return true;
  const next = output[at + 1] ?? 0;
  return code === 0xc2 && next >= 0x80 && next < 0xa0;
}

function c1Of(output: Uint8Array, at: number): { readonly code: number; readonly length: number } {
  const code = output[at] ?? 0;
  return code === 0xc2 ? { code: output[at + 1] ?? 0, length: 2 } : { code, length: 1 };
}

/** Bytes of the character here: one for a byte that is not UTF-8, none when the output ends within it. */
function characterLength(output: Uint8Array, at: number): number {
  const lead = output[at] ?? 0;
  const length =
    lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc2 && lead < 0xe0 ? 2 : 1;
  for (let index = 1; index < length; index++) {
    const code = output[at + index];
    if (code === undefined) return 0;
    // The second byte rules out overlong forms, surrogates and what is beyond U+10FFFF (Unicode, table 3-7).
    const low = index > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = index > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (code < low || code > high) return 1;
  }
  return length;
}
