import { type DiagnosedHop, HopVerdict } from "../../../../proto/gen/zor/v1/link_service.js";
import type { Blocked } from "../observed/blocked.js";

/** What the hub knows of a link, and a host does not, that sends test frames through it. */
export interface FramesContext {
  /** "hosts/{host}" of both sides. */
  readonly a: string;
  readonly b: string;
  /** Where nothing passes, as it was asked for. */
  readonly blocked: Blocked;
  /** Where frames are impaired somehow, as it was asked for. */
  readonly impaired: Blocked;
}

type Direction = keyof Blocked;

/**
 * Judges the hops "frames" of both ends together: an end that got none knows neither whether the other sent any nor whether they were
 * to pass. Of a link within one host the first is from a to b.
 */
export function judgeFrames(hops: readonly DiagnosedHop[], context: FramesContext): DiagnosedHop[] {
  const isLocal = context.a === context.b;
  const directionOf = (hop: DiagnosedHop, index: number): Direction => {
    if (isLocal) return index === 0 ? "aToB" : "bToA";
    return hop.host === context.b ? "aToB" : "bToA";
  };
  return hops.map((hop, index) => {
    if (hop.verdict !== HopVerdict.HOP_VERDICT_BROKEN) return hop;
    const direction = directionOf(hop, index);
    const other = hops.find((one) => one !== hop);
    if (other === undefined || other.verdict === HopVerdict.HOP_VERDICT_SKIPPED) {
      const why = other === undefined ? "its agent cannot be asked to" : other.detail;
      return { ...hop, verdict: HopVerdict.HOP_VERDICT_SKIPPED, detail: `the other end sent none: ${why}`, remedy: "" };
    }
    if (context.blocked[direction]) return { ...hop, ...onPurpose, detail: `${hop.detail}: nothing is to pass here` };
    if (context.impaired[direction]) return { ...hop, ...onPurpose, detail: `${hop.detail}; this way is impaired` };
    return hop;
  });
}

const onPurpose = {
  verdict: HopVerdict.HOP_VERDICT_WARNING,
  remedy: "it was asked for; zor set link NAME --clear takes it back",
} as const;
