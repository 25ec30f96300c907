import type { Looks } from "./looks.js";
import { isReached, type Scene, type SceneThing } from "./scene.js";

/** The scene as a flowchart of Mermaid: what is in a host is in its subgraph, states are classes. */
export function sceneMermaid(scene: Scene, looks: Looks): string {
  const ids = new Map([...scene.byName.keys()].map((name, index) => [name, `n${index}`]));
  const idOf = (name: string): string => ids.get(name) ?? "";
  const reached = scene.things.filter(isReached);
  const hosts = reached.filter(({ frame }) => frame === "host");
  const node = (thing: SceneThing): string => `${idOf(thing.name)}${shapeOf(thing, looks)}`;
  const lines = ["flowchart LR"];
  for (const host of hosts) {
    const inside = reached.filter((thing) => thing.host === host.host && thing !== host);
    if (inside.length === 0) {
      lines.push(`  ${node(host)}`);
      continue;
    }
    lines.push(`  subgraph ${idOf(host.name)}["${textOf(host, looks)}"]`);
    for (const thing of inside) lines.push(`    ${node(thing)}`);
    lines.push("  end");
  }
  for (const thing of reached) if (thing.host === "") lines.push(`  ${node(thing)}`);
  for (const { from, to, of } of scene.routes) {
    const condition = of === "" ? "whole" : looks.conditionOf(of);
    const arrow = condition === "whole" ? "---" : condition === "impaired" ? "-.-" : "-. broken .-";
    lines.push(`  ${idOf(from)} ${arrow} ${idOf(to)}`);
  }
  for (const [leaf, lan] of leavesOf(scene)) lines.push(`  ${idOf(lan)} --- ${idOf(leaf)}`);
  const classes = new Map<string, string[]>();
  for (const thing of reached) {
    const { tone } = thing.box === undefined ? looks.styleOfCable(thing) : looks.styleOf(thing);
    if (tone in colors) classes.set(tone, [...(classes.get(tone) ?? []), idOf(thing.name)]);
  }
  for (const [tone, names] of classes) {
    lines.push(
      `  classDef ${tone} stroke:${colors[tone as keyof typeof colors]}`,
      `  class ${names.join(",")} ${tone}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

const colors = { good: "#3f8f3f", busy: "#2f8f9f", warn: "#b8860b", bad: "#c0392b", dim: "#888888" } as const;

function shapeOf(thing: SceneThing, looks: Looks): string {
  const text = `"${textOf(thing, looks)}"`;
  if (thing.frame === "lan") return `[[${text}]]`;
  return thing.frame === undefined ? `(${text})` : `[${text}]`;
}

function textOf(thing: SceneThing, looks: Looks): string {
  const { symbol } = thing.box === undefined ? looks.styleOfCable(thing) : looks.styleOf(thing);
  // Mermaid's own way to write characters that it would take for its syntax.
  const shown = thing.text.replace(/["#;<>&[\]{}()|`]/g, (character) => `#${character.charCodeAt(0)};`);
  return `${symbol} ${shown}`;
}

/** What stands in a lan's box, with the lan. */
function leavesOf({ things }: Scene): readonly (readonly [string, string])[] {
  const lans = things.filter(({ frame }) => frame === "lan");
  return things.flatMap(({ name, box, label }) => {
    if (box !== undefined) return [];
    const lan = lans.find(({ box: room }) => {
      if (room === undefined) return false;
      const isIn =
        label.x > room.x && label.x < room.x + room.width && label.y > room.y && label.y < room.y + room.height;
      return isIn;
    });
    return lan === undefined ? [] : [[name, lan.name] as const];
  });
}
