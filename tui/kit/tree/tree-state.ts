import type { PickLine } from "../pick-page.js";
import type { TreeNode } from "./node.js";

/** No more is looked at for a filter, or opened at once. */
const mostNodes = 20_000;

/** A line of a tree, with what stands on it. */
export interface TreeLine extends PickLine {
  readonly key: string;
  readonly node: TreeNode;
  /** Key of the node that it is below; undefined: none. */
  readonly parent: string | undefined;
}

/** Which nodes of a tree are open. */
export class TreeState {
  readonly #turned = new Map<string, boolean>();

  isOpen(node: TreeNode): boolean {
    return node.children !== undefined && (this.#turned.get(node.key) ?? node.isOpenAtFirst ?? false);
  }

  /** Opens or closes a node. */
  turn(node: TreeNode, isOpen: boolean): void {
    if (node.children !== undefined) this.#turned.set(node.key, isOpen);
  }

  /** Opens or closes nodes with all that is below them. */
  turnAll(nodes: readonly TreeNode[], isOpen: boolean): void {
    const queue = [...nodes];
    for (let at = 0; at < queue.length && at < mostNodes; at += 1) {
      const node = queue[at];
      if (node?.children === undefined) continue;
      const below = isOpen || this.isOpen(node) ? node.children() : [];
      this.turn(node, isOpen);
      queue.push(...below);
    }
  }

  /** The nodes that can be seen, a line each. */
  lines(roots: readonly TreeNode[]): readonly TreeLine[] {
    const lines: TreeLine[] = [];
    const walk = (nodes: readonly TreeNode[], guide: string, parent: string | undefined): void => {
      for (const [index, node] of nodes.entries()) {
        const isLast = index === nodes.length - 1;
        const isOpen = this.isOpen(node);
        lines.push(lineOf(node, { guide, branch: branchOf(parent, isLast), isOpen, parent }));
        if (isOpen)
          walk(node.children?.() ?? [], parent === undefined ? " " : guide + (isLast ? "   " : "│  "), node.key);
      }
    };
    walk(roots, "", undefined);
    return lines;
  }

  /** The nodes that pass, with all that they are below of, a line each. */
  filtered(roots: readonly TreeNode[], passes: (node: TreeNode) => boolean): readonly TreeLine[] {
    let left = mostNodes;
    const kept = (nodes: readonly TreeNode[]): readonly TreeNode[] =>
      nodes.flatMap((node) => {
        left -= 1;
        if (left < 0) return [];
        if (passes(node)) return [node];
        const below = kept(node.children?.() ?? []);
        return below.length === 0 ? [] : [{ ...node, children: () => below, isOpenAtFirst: true }];
      });
    const found = kept(roots);
    // What is above of what was found is open, whatever it was before.
    const open = new TreeState();
    return open.lines(found);
  }
}

function branchOf(parent: string | undefined, isLast: boolean): string {
  if (parent === undefined) return "";
  return isLast ? "└─" : "├─";
}

function lineOf(
  node: TreeNode,
  place: {
    readonly guide: string;
    readonly branch: string;
    readonly isOpen: boolean;
    readonly parent: string | undefined;
  },
): TreeLine {
  const { guide, branch, isOpen, parent } = place;
  const sign = node.children === undefined ? "  " : isOpen ? "▾ " : "▸ ";
  return {
    ...{ key: node.key, node, parent },
    line: [{ text: ` ${guide}${branch}`, tone: "dim" }, { text: sign, tone: "accent" }, ...node.line],
  };
}
