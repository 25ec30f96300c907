import { type Token, tokens } from "./tokens.js";

/** Longest title, link or colour that is replayed. */
const longestString = 4096;

/** C0 controls that move the cursor, ring or choose a character set. Not ENQ, which asks, nor CAN, with which ZMODEM begins. */
const shownControls = new Set([0x00, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f]);

/**
 * Escape sequences by intermediates and final byte: cursor, tabs, scrolling, character sets, reset. Not DECID (Z), which asks,
 * nor the end of UTF-8 (%@), after which bytes of characters would be controls.
 */
const shownEscapes = /^(?:[6789DEHMNOc=>no|}~]|[()*+][\x20-\x2f]?[\x30-\x7e]|[-./][\x30-\x7e]|#[34568])$/;

/** CSI sequences by prefix, intermediates and final byte that draw, move, erase or style. */
const shownCsi = new Set([
  ..."@ABCDEFGHIJKLMPSXZ`abdefgmrsu",
  ...["?J", "?K", " @", " A", " q", '"q', "!p", "'}", "'~"],
  ...["$r", "$t", "$v", "$x", "$z", "${"],
]);

/** ANSI modes, for h and l: insert, new line. */
const shownModes = new Set([4, 20]);
/**
 * Private modes, for ?h and ?l: what is drawn and how keys and the mouse are told. Not those on whose setting a terminal
 * reports at once: focus (1004), colour scheme (2031), size (2048).
 */
const shownPrivateModes = new Set([
  ...[1, 4, 5, 6, 7, 8, 9, 12, 25, 45, 47, 66, 69],
  ...[1000, 1002, 1003, 1005, 1006, 1007, 1015, 1016, 1047, 1048, 1049, 2004],
]);

/** OSC by number: titles, directory, hyperlinks, prompt marks. */
const shownStrings = new Set([0, 1, 2, 7, 8, 133]);
/** OSC that sets colours, and asks for them with "?". */
const colorStrings = new Set([4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
const colorResets = new Set([104, 105, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119]);

/**
 * Recent console output as it may be shown to a terminal that is attached later: only what draws. Everything that makes a
 * terminal answer is left out, because the answer would be typed into a guest that asked long ago; so is what acts outside
 * of the screen (clipboard, notifications, printing, resizing) and what is not known: it may ask too. A sequence that the
 * output ends in stays, since the guest is just writing it; an unfinished control string does not, since it would hide what
 * comes after it.
 */
export function safeReplay(output: Uint8Array): Buffer {
  const shown: Uint8Array[] = [];
  for (const token of tokens(output)) {
    const bytes = show(token, output);
    if (bytes !== undefined) shown.push(bytes);
  }
  return Buffer.concat(shown);
}

function show(token: Token, output: Uint8Array): Uint8Array | undefined {
  switch (token.type) {
    case "text":
      return output.subarray(token.begin, token.end);
    case "control":
      return shownControls.has(token.code) ? Buffer.of(token.code) : undefined;
    case "escape": {
      const text = token.intermediates + token.final;
      return shownEscapes.test(text) ? Buffer.from(`\x1b${text}`, "latin1") : undefined;
    }
    case "csi":
      return showCsi(token);
    case "string":
      return showString(token, output);
    case "unfinished":
      return isHarmlessTail(token.kind, output.subarray(token.begin)) ? output.subarray(token.begin) : undefined;
  }
}

/** What a guest is just writing; controls inside of it have been shown or left out already. */
function isHarmlessTail(kind: (Token & { readonly type: "unfinished" })["kind"], tail: Uint8Array): boolean {
  if (kind !== "sequence") return kind === "character";
  return /^\x1b(?:[ -/]*|\[[0-?]*[ -/]*)$/.test(Buffer.from(tail).toString("latin1"));
}

function showCsi({ prefix, params, intermediates, final }: Token & { readonly type: "csi" }): Buffer | undefined {
  const form = `${prefix}${intermediates}${final}`;
  if (form === "h" || form === "l" || form === "?h" || form === "?l") {
    const known = prefix === "" ? shownModes : shownPrivateModes;
    const modes = params.split(";").filter((mode) => /^\d{1,5}$/.test(mode) && known.has(Number(mode)));
    return modes.length === 0 ? undefined : Buffer.from(`\x1b[${prefix}${modes.join(";")}${final}`, "latin1");
  }
  // With more than a count it is highlight tracking, which reports.
  const isScroll = form === "T" && /^\d*$/.test(params);
  if (!isScroll && !shownCsi.has(form)) return undefined;
  return Buffer.from(`\x1b[${prefix}${params}${intermediates}${final}`, "latin1");
}

function showString({ kind, begin, end }: Token & { readonly type: "string" }, output: Uint8Array): Buffer | undefined {
  const body = output.subarray(begin, end);
  // Sixel pictures are all that draws in a DCS.
  if (kind === "dcs")
    return isSixel(body) ? Buffer.concat([Buffer.from("\x1bP"), body, Buffer.from("\x1b\\")]) : undefined;
  if (kind !== "osc" || body.length > longestString) return undefined;
  const text = Buffer.from(body).toString("latin1");
  const number = Number(/^(\d{1,4})(?:;|$)/.exec(text)?.[1] ?? Number.NaN);
  const isShown =
    shownStrings.has(number) || colorResets.has(number) || (colorStrings.has(number) && !text.includes("?"));
  return isShown ? Buffer.concat([Buffer.from("\x1b]"), body, Buffer.from("\x1b\\")]) : undefined;
}

function isSixel(body: Uint8Array): boolean {
  return /^[0-9;]*q[\n\r!-~]*$/.test(Buffer.from(body).toString("latin1"));
}
