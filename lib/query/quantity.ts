/** What an amount can be of. */
export type Dimension = "bytes" | "bits" | "time" | "percent" | "number";

/** How a field counts: `factor` of the dimension's unit (byte, bit, millisecond, percent) are 1 of the field. */
export interface Unit {
  readonly dimension: Dimension;
  readonly factor: number;
  /** A number without a unit is in the dimension's unit, not in the field's: of a share in thousandths "80" is 80 %. */
  readonly isScaled?: boolean;
}

const binary = { k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4, p: 1024 ** 5 } as const;
const decimal = { k: 1e3, m: 1e6, g: 1e9, t: 1e12, p: 1e15 } as const;
const timeMs = {
  ns: 1e-6,
  us: 0.001,
  µs: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const form = /^([+-]?(?:\d{1,15}(?:\.\d{0,9})?|\.\d{1,9}))\s?([a-zA-Z\u00b5%]{0,7})(\/s)?$/;
const bytesForm = /^([kmgtp])?(i)?(b|bytes?)?$/i;
const bitsForm = /^([kmgtp])?(i)?bits?$|^([kmgtp])?bps$/i;
const partForm = /(\d+(?:\.\d+)?)(d|h|ms|m|s|us)/g;

/** What an amount looks like, for errors. */
export const unitExamples: Readonly<Record<Dimension, string>> = {
  bytes: "a number or a size such as 512MiB or 4GiB",
  bits: "a number or a rate such as 10Mbit or 1Gbit",
  time: "a time such as 200us, 5ms, 1.5s, 15m, 2h or 3d",
  percent: "a number or a share such as 80%",
  number: "a number",
};

/**
 * An amount in the unit of a field: "4GiB" is 4096 for one that counts MiB. A number without a unit is in the field's own, of bytes 1K and 1KiB are
 * 1024, 1kB is 1000. Undefined: it is none, or one of something else.
 */
export function parseAmount(text: string, unit: Unit): number | undefined {
  const { dimension, factor } = unit;
  const many = dimension === "time" ? parseParts(text) : undefined;
  if (many !== undefined) return many / factor;
  const found = form.exec(text);
  if (found === null) return undefined;
  const [, digits = "", word = "", perSecond] = found;
  const amount = Number(digits);
  if (word === "") return perSecond !== undefined ? undefined : unit.isScaled === true ? amount / factor : amount;
  const scale = scaleOf(dimension, word);
  return scale === undefined ? undefined : (amount * scale) / factor;
}

/** "1h30m" and "2d12h", in milliseconds. */
function parseParts(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:d|h|ms|m|s|us)){2,5}$/.test(text)) return undefined;
  let sum = 0;
  for (const [, digits = "", unit = ""] of text.matchAll(partForm)) {
    sum += Number(digits) * (timeMs[unit as keyof typeof timeMs] ?? 0);
  }
  return sum;
}

function scaleOf(dimension: Dimension, word: string): number | undefined {
  switch (dimension) {
    case "percent":
      return word === "%" ? 1 : undefined;
    case "time":
      return Object.hasOwn(timeMs, word) ? timeMs[word as keyof typeof timeMs] : undefined;
    case "bytes": {
      const [whole, prefix = "", isBinary, unit] = bytesForm.exec(word) ?? [];
      if (whole === undefined) return undefined;
      // "K" alone is what tables print: 1024.
      return scale(prefix, isBinary !== undefined || unit === undefined);
    }
    case "bits": {
      const [whole, prefix, isBinary, other] = bitsForm.exec(word) ?? [];
      if (whole === undefined) return undefined;
      return scale(prefix ?? other ?? "", isBinary !== undefined);
    }
    case "number":
      return /^[kmgtp]$/i.test(word) ? scale(word, false) : undefined;
  }
}

function scale(prefix: string, isBinary: boolean): number {
  // The forms let no other letters through.
  const letter = prefix.toLowerCase() as keyof typeof binary | "";
  if (letter === "") return 1;
  return isBinary ? binary[letter] : decimal[letter];
}

/** What a number field counts, by the end of its name; undefined: it says none. */
export function unitOfName(name: string): Unit | undefined {
  const [, suffix = ""] = /_(mib|kib|gib|bytes|bps|percent|ratio|us|ms|millis|seconds)$/.exec(name) ?? [];
  switch (suffix) {
    case "mib":
      return { dimension: "bytes", factor: binary.m };
    case "kib":
      return { dimension: "bytes", factor: binary.k };
    case "gib":
      return { dimension: "bytes", factor: binary.g };
    case "bytes":
      return { dimension: "bytes", factor: 1 };
    case "bps":
      return { dimension: "bits", factor: 1 };
    case "percent":
      return { dimension: "percent", factor: 1 };
    case "ratio":
      return { dimension: "percent", factor: 100 };
    case "us":
      return { dimension: "time", factor: 0.001 };
    case "ms":
    case "millis":
      return { dimension: "time", factor: 1 };
    case "seconds":
      return { dimension: "time", factor: 1000 };
    default:
      return undefined;
  }
}
