import type { KindTable } from "../../kit/kind-table.js";
import type { Looks } from "../../kit/map/looks.js";
import type { SceneThing } from "../../kit/map/scene.js";
import { shortName } from "../../kit/resource-name.js";
import type { Line } from "../../kit/text/segment.js";
import type { Cabling } from "./cabling.js";
import { plainText } from "../../kit/text/plain-text.js";

/** A thing of the map in a line: its state, its ends, and what it does. */
export function asideOf(kinds: KindTable, looks: Looks, thing: SceneThing | undefined): string {
  const row = thing === undefined ? undefined : looks.rowOf(thing);
  if (thing === undefined || row === undefined) return "";
  const kind = kinds.find(row.kind);
  if (thing.members !== undefined) {
    return `${thing.text}: ${thing.members.map((name) => plainText(shortName(name))).join(", ")}; + shows them`;
  }
  const map = kind?.map;
  const isCable = map?.shape === "cable";
  const { word } = isCable ? looks.styleOfCable(thing) : looks.styleOf(thing);
  const ends = (map?.endsOf(row.resource, row.name) ?? []).flatMap((end) => {
    const into = end.into === "" ? "nothing" : plainText(shortName(end.into));
    const note = map?.noteOf?.(row.resource, end.name) ?? "";
    return [isCable ? into : [end.word, note, "in", into].filter((part) => part !== "").join(" ")];
  });
  const figures = isCable ? (map.figuresOf?.(row.resource) ?? []).filter((text) => text !== "") : [];
  const joined = isCable ? [ends.join(" ↔ "), ...figures] : ends;
  const head = `${row.kind} ${plainText(shortName(row.name))} ${word}`;
  return [head, ...joined.map(plainText)].join(", ");
}

/** Where the cable that is being drawn begins. */
export function cableFacts({ from }: Cabling): Line {
  return from === undefined ? [] : [{ text: ` cable from ${plainText(from)}`, tone: "warn" }];
}
