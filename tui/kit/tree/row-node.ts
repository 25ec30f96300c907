import type { CellContext } from "../fleet/fleet-view.js";
import { Looks } from "../map/looks.js";
import { idOf } from "../resource-name.js";
import type { Fleet } from "../fleet/fleet.js";
import type { Row } from "../row.js";
import { plainText } from "../text/plain-text.js";
import type { Segment } from "../text/segment.js";
import { troubleOf } from "../trouble/find-trouble.js";
import type { TreeNode } from "./node.js";

/** The node of a resource: its state, kind and name, why it is so, and what is said of it besides. */
export function rowNode(
  fleet: Fleet,
  row: Row,
  given: Pick<TreeNode, "key" | "children" | "isOpenAtFirst"> & {
    readonly context: CellContext;
    readonly facts?: readonly Segment[];
  },
): TreeNode {
  const { context, facts = [], ...rest } = given;
  const kind = fleet.kinds.find(row.kind);
  const { symbol, word, tone } = new Looks(fleet).styleOfRow(row);
  const why = kind === undefined ? "" : (troubleOf(kind, row, context)?.why ?? "");
  return {
    ...rest,
    row,
    line: [
      { text: `${symbol} `, tone },
      { text: `${row.kind} `, tone: "dim" },
      { text: plainText(idOf(row.name)), tone: "strong" },
      { text: ` ${word}`, tone },
      ...(why === "" ? [] : [{ text: ` ${plainText(why)}`, tone }]),
      ...facts,
    ],
    searched: `${row.kind} ${row.id} ${word} ${why}`,
  };
}

/** The node of several things of the same sort. */
export function groupNode(key: string, title: string, children: () => readonly TreeNode[]): TreeNode {
  return { key, line: [{ text: title, tone: "accent" }], searched: "", children };
}

/** A node that is no resource. */
export function textNode(key: string, line: readonly Segment[]): TreeNode {
  return { key, line, searched: line.map(({ text }) => text).join("") };
}
