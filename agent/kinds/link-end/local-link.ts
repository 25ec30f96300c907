import type { A2bSpec } from "../../../proto/gen/zor/v1/a2b.js";
import type { BoxView } from "../../engine/protocol/box-protocol.js";

/** A link between two lans of this host, as the hub asks for it. */
export interface LocalLinkSpec extends A2bSpec {
  /** "links/{link}". */
  readonly link: string;
  readonly linkUid: string;
}

/** A link between two lans as it is. */
export interface LocalLinkView {
  readonly link: string;
  readonly linkUid: string;
  /** As the engine told it last. */
  readonly box: BoxView;
  /** The engine is away since then, milliseconds since the epoch; undefined: it is there. */
  readonly awaySinceMs: number | undefined;
}
