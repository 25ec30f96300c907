import type { Row } from "../row.js";
import type { Line } from "../text/segment.js";

/** Something in a tree. */
export interface TreeNode {
  /** Unique in its tree; the same as long as it is the same thing at the same place. */
  readonly key: string;
  /** The resource that it stands for: actions act on it. */
  readonly row?: Row;
  /** As it is drawn, without what stands before it. */
  readonly line: Line;
  /** What filters look at besides the resource. */
  readonly searched: string;
  /** It is open until somebody closes it. */
  readonly isOpenAtFirst?: boolean;
  /** What is below it, read when it is open; undefined: nothing can be. */
  readonly children?: () => readonly TreeNode[];
}
