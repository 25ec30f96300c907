import type { Tone } from "../../kit/states.js";
import { plainText } from "../../kit/text/plain-text.js";
import { cutLine, type Line } from "../../kit/text/segment.js";
import { fitText } from "../../kit/text/text-width.js";
import { wrapText } from "../../kit/text/wrap-text.js";
import type { KeptFrame } from "./frame-buffer.js";

/** Cells of the columns. */
interface FrameColumns {
  readonly number: number;
  readonly where: number;
  readonly address: number;
  readonly time: number;
  readonly protocol: number;
}

const cutWords: Line = [{ text: " it ends before what it should hold", tone: "warn" }];
const lengthWidth = 5;
const bytesInRow = 16;

/** The columns that there is room for. @param hasPlaces frames pass at several interfaces. */
export function frameColumns(width: number, hasPlaces: boolean): FrameColumns {
  return {
    number: width >= 110 ? 7 : 0,
    where: hasPlaces && width >= 100 ? 18 : 0,
    address: width >= 140 ? 26 : width >= 100 ? 20 : 15,
    // To the microsecond, or the millisecond.
    time: width >= 100 ? 15 : 12,
    protocol: width >= 100 ? 8 : 6,
  };
}

/** What stands above the frames. */
export function frameHeader(width: number, columns: FrameColumns): Line {
  const words = rowText(columns, {
    ...{ number: "No", time: "TIME", where: "AT", source: "FROM", destination: "TO" },
    ...{ protocol: "PROTO", length: "BYTES", info: "WHAT" },
  });
  return cutLine([{ text: ` ${words}`, tone: "dim" }], width);
}

/** A frame in one line. */
export function frameLine(
  { number, seen, decoded }: KeptFrame,
  places: readonly string[],
  { width, columns }: { readonly width: number; readonly columns: FrameColumns },
): Line {
  const words = rowText(columns, {
    number: `${number}`,
    time: timeText(seen.timeUs),
    where: plainText(places[seen.at] ?? ""),
    source: plainText(decoded.source),
    destination: plainText(decoded.destination),
    protocol: plainText(decoded.protocol),
    length: `${seen.length}`,
    info: plainText(`${decoded.info}${decoded.isCut ? " (cut off)" : ""}`),
  });
  return cutLine([{ text: ` ${words}`, tone: toneOf(decoded.protocol, decoded.info) }], width);
}

/** All of a frame: its layers, and its bytes. */
export function frameDetails({ seen, decoded }: KeptFrame, place: string, width: number): readonly Line[] {
  const cut = seen.data.length < seen.length ? `, ${seen.data.length} of them kept` : "";
  const when = new Date(seen.timeUs / 1000).toISOString().slice(0, 10);
  const head = `${when} ${timeText(seen.timeUs)}, ${seen.length} bytes${cut}, at ${plainText(place)}`;
  const layers = decoded.layers.flatMap(({ name, from, to, fields }): Line[] => [
    [
      { text: ` ${name}`, tone: "accent" },
      { text: `  bytes ${from} to ${to}`, tone: "dim" },
    ],
    ...fields.flatMap((field) => wrapText(`   ${plainText(field)}`, width - 1).map((text): Line => [{ text }])),
  ]);
  const told = decoded.info === "" ? [] : wrapText(` ${plainText(decoded.info)}`, width - 1);
  const lines: readonly Line[] = [
    [{ text: ` ${head}`, tone: "strong" }],
    ...told.map((text): Line => [{ text }]),
    ...(decoded.isCut ? [cutWords] : []),
    [],
    ...layers,
    [],
    ...hexLines(seen.data),
  ];
  return lines.map((line) => cutLine(line, width));
}

function hexLines(data: Buffer): readonly Line[] {
  return Array.from({ length: Math.ceil(data.length / bytesInRow) }, (_, row): Line => {
    const bytes = [...data.subarray(row * bytesInRow, (row + 1) * bytesInRow)];
    const hex = bytes.map((byte, at) => `${at === bytesInRow / 2 ? " " : ""}${byte.toString(16).padStart(2, "0")}`);
    const text = bytes.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    return [
      { text: ` ${(row * bytesInRow).toString(16).padStart(4, "0")}  `, tone: "dim" },
      { text: hex.join(" ").padEnd(bytesInRow * 3 + 1) },
      { text: `  ${text}`, tone: "dim" },
    ];
  });
}

interface RowWords {
  readonly number: string;
  readonly time: string;
  readonly where: string;
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly length: string;
  readonly info: string;
}

function rowText(columns: FrameColumns, words: RowWords): string {
  return [
    ...(columns.number === 0 ? [] : [fitText(words.number, columns.number, "right")]),
    words.time.slice(0, columns.time).padEnd(columns.time),
    ...(columns.where === 0 ? [] : [fitText(words.where, columns.where, "left", "middle")]),
    fitText(words.source, columns.address, "left", "middle"),
    fitText(words.destination, columns.address, "left", "middle"),
    fitText(words.protocol, columns.protocol),
    fitText(words.length, lengthWidth, "right"),
    words.info,
  ].join(" ");
}

/** "14:03:07.123456", by the clock of UTC: hosts may be anywhere. */
function timeText(timeUs: number): string {
  const ms = Math.floor(timeUs / 1000);
  const us = Math.floor(timeUs - ms * 1000);
  return `${new Date(ms).toISOString().slice(11, 23)}${us.toString().padStart(3, "0")}`;
}

function toneOf(protocol: string, info: string): Tone {
  if (/\[[^\]]*RST|unreachable|time exceeded|too (?:large|big)|no such name|refuse/.test(info)) return "bad";
  if (/\[[^\]]*(?:SYN|FIN)/.test(info)) return "good";
  return protocol === "ARP" || protocol === "STP" || protocol === "LLDP" ? "dim" : "plain";
}
