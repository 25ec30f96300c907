import { counted } from "../../../lib/words.js";
import type { Fleet } from "../fleet/fleet.js";
import { shortName } from "../resource-name.js";
import { type Spoken, type SpokenLine, spokenLines } from "../spoken/spoken.js";
import { words } from "../spoken/words.js";
import { plainText } from "../text/plain-text.js";
import { type MapGraph, type MapHost, type MapThing, ownerOf } from "./graph.js";
import { Looks } from "./looks.js";

/** The map for somebody who does not see it: of each host its lans with what is plugged into them, then the cables. */
export function mapWords(graph: MapGraph, fleet: Fleet, pick: (name: string) => void): Spoken {
  const looks = new Looks(fleet);
  const stateOf = (kind: string, name: string): string => {
    const row = fleet.find(kind, name);
    return row === undefined ? "" : `, ${looks.styleOfRow(row).word}`;
  };
  const line = (name: string, text: string): SpokenLine => ({ text: plainText(text), name, pick: () => pick(name) });
  const cable = (thing: MapThing): SpokenLine => {
    const [from, to] = thing.ends.map(({ into }) => (into === "" ? "nothing" : shortName(into)));
    const map = fleet.kinds.find(thing.kind)?.map;
    const row = fleet.find(thing.kind, thing.name);
    const figures = row === undefined ? [] : (map?.figuresOf?.(row.resource) ?? []);
    const impaired = looks.conditionOf(thing.name) === "impaired" ? ["impaired"] : [];
    const what = [
      `from ${from ?? "nothing"} to ${to ?? "nothing"}`,
      ...impaired,
      ...figures.map(words).filter((each) => each !== ""),
    ];
    return line(
      thing.name,
      `${thing.kind} ${shortName(thing.name)}${stateOf(thing.kind, thing.name)}: ${what.join(", ")}`,
    );
  };
  const hostLines = (host: MapHost): readonly SpokenLine[] => {
    const { presence } = fleet.kinds;
    const counts = `${counted(host.lans.length, "lan")}, ${counted(host.things.length, "thing")}`;
    const state = presence === undefined ? "" : stateOf(presence.kind, host.name);
    const unplugged = host.things.filter(({ ends }) => ends.every(({ into }) => into === ""));
    return [
      line(host.name, `host ${host.id}${state}: ${counts}`),
      ...host.lans.map((lan) => line(lan.name, lanText(lan, host))),
      ...unplugged.map((thing) =>
        line(thing.name, `${thing.kind} ${shortName(thing.name)}${stateOf(thing.kind, thing.name)}: in no lan`),
      ),
      ...host.cables.map(cable),
    ];
  };
  const lanText = (lan: MapThing, host: MapHost): string => {
    const plugged = host.things.flatMap(({ id, kind, name, ends }) =>
      ends
        .filter(({ into }) => into !== "" && ownerOf(into) === lan.name)
        .map(({ word }) => [id, ...(word === "" ? [] : [word])].join(" ") + stateOf(kind, name).replace(", ", " ")),
    );
    const what = plugged.length === 0 ? "nothing is plugged in" : plugged.join(", ");
    return `lan ${shortName(lan.name)}${stateOf(lan.kind, lan.name)}: ${what}`;
  };
  return spokenLines([...[...graph.hosts.values()].flatMap(hostLines), ...graph.cables.map(cable)]);
}
