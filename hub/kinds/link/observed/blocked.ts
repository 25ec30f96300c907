import { letsNothingPass } from "../../../../lib/impairment.js";
import type { LinkEnd, LinkSpec } from "../../../../proto/gen/zor/v1/link.js";

/** The directions of a link in which nothing passes, as it was asked for. */
export interface Blocked {
  readonly aToB: boolean;
  readonly bToA: boolean;
}

/** From what the ends say, and from what they have been told to do: they may not have said so yet. A schedule only they follow. */
export function blockedOf(
  spec: LinkSpec | undefined,
  ends: { readonly a: LinkEnd | undefined; readonly b: LinkEnd | undefined },
): Blocked {
  const standing = spec?.schedule.length === 0 ? spec : undefined;
  return {
    aToB: ends.a?.blocked === true || letsNothingPass(standing?.aToB),
    bToA: ends.b?.blocked === true || letsNothingPass(standing?.bToA),
  };
}

/** Which directions, for people: "from hosts/a to hosts/b"; empty when there is none. */
export function blockedText({ aToB, bToA }: Blocked, names: { readonly a: string; readonly b: string }): string {
  if (aToB && bToA) return "in either direction";
  if (aToB) return `from ${names.a} to ${names.b}`;
  return bToA ? `from ${names.b} to ${names.a}` : "";
}
