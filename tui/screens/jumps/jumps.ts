import type { CellContext } from "../../kit/fleet/fleet-view.js";
import type { TuiKind } from "../../kit/kind.js";
import { shortName } from "../../kit/resource-name.js";
import { labelsOf, type Row } from "../../kit/row.js";
import { findColumn } from "../../kit/table/table-look.js";
import type { Jump } from "../../settings/settings-files.js";

/** Where rows lead to without anybody's settings; those of a user with the same name stand in their place. */
export const usualJumps: Readonly<Record<string, Jump>> = {
  "its host": { kinds: ["*"], to: "describe {host}" },
  "instances of the same host": { kinds: ["instance", "lan", "pool", "image"], to: "instances {host}" },
  snapshots: { kinds: ["instance"], to: "snapshots {host} /instance={id}" },
  backups: { kinds: ["instance"], to: "backups {host} /instance={id}" },
  "its instance": { kinds: ["snapshot", "backup"], to: "instances {host} /name={column.instance}" },
  wires: { kinds: ["instance"], to: "wires {host} /{id}" },
  links: { kinds: ["lan", "instance"], to: "links /{name}" },
  "links of the host": { kinds: ["host"], to: "links /{id}" },
  instances: { kinds: ["host"], to: "instances {id}" },
  lans: { kinds: ["host"], to: "lans {id}" },
  volumes: { kinds: ["host"], to: "volumes {id}" },
  pools: { kinds: ["host"], to: "pools {id}" },
  images: { kinds: ["host"], to: "images {id}" },
  "volumes of the pool": { kinds: ["pool"], to: "volumes {host} /{id}" },
  "instances made from it": { kinds: ["image"], to: "instances {host} /{id}" },
  "boxes of the lan": { kinds: ["lan"], to: "a2bs {host} /{id}" },
  "ways out of the lan": { kinds: ["lan"], to: "nats {host} /{id}" },
};

/** A place that a row leads to. */
export interface Destination {
  readonly name: string;
  /** The line of the command line that opens it. */
  readonly line: string;
}

/** Where a row leads to by these jumps; those that speak of what it does not have are left out. */
export function destinationsOf(
  row: Row,
  { kind, jumps, context }: { kind: TuiKind; jumps: Readonly<Record<string, Jump>>; context: CellContext },
): readonly Destination[] {
  return Object.entries(jumps).flatMap(([name, { kinds, to }]) => {
    if (!kinds.includes(row.kind) && !kinds.includes("*")) return [];
    const line = filled(to, (field) => fieldOf(field, row, { kind, context }));
    return line === undefined ? [] : [{ name, line }];
  });
}

/** Fills a template word by word, so that what comes from outside never is more than the word it stands in. */
function filled(template: string, valueOfField: (field: string) => string): string | undefined {
  let isMissing = false;
  const words = template.split(/\s+/).map((word) =>
    word.replaceAll(/\{([^{}]+)\}/g, (_, field: string) => {
      const [first = ""] = valueOfField(field).trim().split(/\s/, 1);
      isMissing ||= first === "";
      return first;
    }),
  );
  return isMissing ? undefined : words.join(" ");
}

function fieldOf(field: string, row: Row, { kind, context }: { kind: TuiKind; context: CellContext }): string {
  if (field === "name") return shortName(row.name);
  if (field === "id") return row.id;
  if (field === "host") return row.host;
  if (field.startsWith("label.")) return labelsOf(row)[field.slice("label.".length)] ?? "";
  const id = field.startsWith("column.") ? field.slice("column.".length) : "";
  const column = id === "" ? undefined : findColumn(kind, id);
  return column?.searched?.(row, context) ?? "";
}
