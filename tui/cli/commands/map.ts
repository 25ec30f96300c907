import { status } from "@grpc/grpc-js";
import { Option } from "commander";
import { ZorError } from "../../../lib/errors.js";
import { findKindBySingular, type Kind, kindNamed } from "../../../lib/kinds/kinds.js";
import { pack } from "../../../lib/kinds/resource.js";
import { notFound } from "../../../lib/errors.js";
import { parseId } from "../../../lib/names.js";
import type { Unreachable } from "../../../proto/gen/zor/v1/unreachable.js";
import type { Fleet } from "../../kit/fleet/fleet.js";
import { draw } from "../../kit/map/draw.js";
import { GraphReader, type MapGraph } from "../../kit/map/graph.js";
import { Looks } from "../../kit/map/looks.js";
import { type Scene, type Zoom, zooms } from "../../kit/map/scene.js";
import { firstHost, SceneMaker } from "../../kit/map/scene-maker.js";
import { toAscii } from "../../kit/text/ascii.js";
import type { Line } from "../../kit/text/segment.js";
import { outputOption, type Registrar, ResourceOption, withExamples, withNotes } from "../command.js";
import { emptyFleet } from "../fleet.js";
import { listKind } from "../kinds.js";
import { unreachableNotes } from "../output/show-rows.js";
import { tableOptions } from "../output/table-options.js";
import { inTone } from "../output/tones.js";
import type { Session } from "../session.js";

const formats = ["text", "ascii", "svg", "mermaid", "json"] as const;

interface MapOptions {
  readonly host?: string;
  readonly zoom?: Zoom;
  readonly output: (typeof formats)[number];
}

/** `zor map`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("map")
    .description("Draw what is connected with what: hosts, lans, instances, and the cables between them.")
    .addOption(new ResourceOption("--host <host>", "only this host, and where its cables lead", "host"))
    .addOption(
      new Option("--zoom <zoom>", "how much is open; default: host, or fleet where that is too wide").choices(zooms),
    )
    .addOption(outputOption(formats, "text"))
    .action(async (options: MapOptions) => {
      const session = open(command);
      if (options.host !== undefined) parseId("--host", options.host);
      const { fleet, unreachable } = await readFleet(session);
      const graph = new GraphReader(fleet, options.host).read();
      if (options.host !== undefined && !graph.hosts.has(options.host)) throw notFound(`hosts/${options.host}`);
      await print(session, sceneFor(session, fleet, graph, options), { fleet, ...options });
      for (const line of unreachableNotes(unreachable)) session.note(line);
    });
  withNotes(
    command,
    `fleet shows hosts, and cables between two hosts as one; host what is in them; lan every plug with its interface and address. Lans have
square corners; a double line is a link, a heavy one a wire, a thin one a plug or an in-line box. A dashed cable with ≈ is impaired, a dotted one
with ✗ broken. The same resources give the same map. zor tui has it live: b.`,
  );
  withExamples(
    command,
    "zor map",
    "zor map --zoom fleet",
    "zor map --host alpha --zoom lan | less -SR",
    "zor map -o svg > lab.svg",
    "zor map -o mermaid >> README.md",
    "zor map -o json | jq '.cables[] | select(.condition != \"whole\")'",
  );
}

/** Everything that is on the map. */
async function readFleet(
  session: Session,
): Promise<{ readonly fleet: Fleet; readonly unreachable: readonly Unreachable[] }> {
  const connection = await session.connect();
  const nowMs = Date.now();
  const fleet = emptyFleet(nowMs);
  const kinds = fleet.kinds.all.flatMap(({ kind, map, presence }) => {
    const known = map === undefined && presence === undefined ? undefined : findKindBySingular(kind);
    return known === undefined ? [] : [known];
  });
  const options = session.readOptions();
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      try {
        return { kind, ...(await listKind(connection, kind, {}, options)) };
      } catch (error) {
        // An agent has no links, and an older hub not every kind.
        if (error instanceof ZorError && error.code === status.UNIMPLEMENTED)
          return { kind, resources: [], unreachable: [] };
        throw error;
      }
    }),
  );
  for (const { resources } of lists) {
    for (const resource of resources) fleet.apply({ $case: "upsert", value: pack(resource) }, nowMs);
  }
  return { fleet, unreachable: lists.find(({ kind }) => isHost(kind))?.unreachable ?? [] };
}

function isHost({ singular }: Kind): boolean {
  return singular === kindNamed("host").singular;
}

/** The scene that was asked for; on a terminal that is too narrow for it, and that nobody asked for, that of the hosts. */
function sceneFor(session: Session, fleet: Fleet, graph: MapGraph, { zoom, host, output }: MapOptions): Scene {
  const maker = new SceneMaker(fleet.kinds);
  const focus = host ?? firstHost(graph)?.id ?? "";
  if (zoom !== undefined) return maker.make(graph, zoom, focus);
  const scene = maker.make(graph, "host", focus);
  const room = output === "text" || output === "ascii" ? tableOptions(session.io, false).width : undefined;
  if (room === undefined || scene.width <= room) return scene;
  const whole = maker.make(graph, "fleet", focus);
  if (whole.width >= scene.width) return scene;
  session.note(`what is in hosts takes ${scene.width} columns: zor map --zoom host | less -SR, or -o svg`);
  return whole;
}

async function print(
  session: Session,
  scene: Scene,
  { fleet, output }: MapOptions & { readonly fleet: Fleet },
): Promise<void> {
  const looks = new Looks(fleet);
  switch (output) {
    case "svg": {
      const { sceneSvg } = await import("../../kit/map/as-svg.js");
      session.print(sceneSvg(scene, looks, "zor map").trimEnd());
      return;
    }
    case "mermaid": {
      const { sceneMermaid } = await import("../../kit/map/as-mermaid.js");
      session.print(sceneMermaid(scene, looks).trimEnd());
      return;
    }
    case "json": {
      const { sceneJson } = await import("../../kit/map/as-json.js");
      session.print(JSON.stringify(sceneJson(scene, looks), undefined, 2));
      return;
    }
    default:
      printText(session, scene, { looks, isAscii: output === "ascii" });
  }
}

function printText(
  session: Session,
  scene: Scene,
  { looks, isAscii }: { readonly looks: Looks; readonly isAscii: boolean },
): void {
  if (scene.byName.size === 0) {
    session.note("nothing is on the map; register a host with: zor host add NAME");
    return;
  }
  const { color } = tableOptions(session.io, true);
  const view = { x: 0, y: 0, width: scene.width, height: scene.height };
  const show = (text: string): string => (isAscii ? toAscii(text) : text);
  const textOf = (line: Line): string =>
    line.map(({ text, tone }) => (color ? inTone(show(text), tone) : show(text))).join("");
  for (const line of draw({ scene, looks, view }).lines()) session.print(textOf(line).trimEnd());
}
