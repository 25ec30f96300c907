import { isId } from "../../../../lib/names.js";
import type { WatchEndsResponse } from "../../../../proto/gen/zor/agent/v1/cable_service.js";
import { findBadValue } from "../../../fleet/credible.js";

/** Most ends that one message may tell of: more than a host can have. */
const mostEnds = 10_000;

/** A message about link ends without what is not to be believed of it, which is told. */
export function believedEnds(
  message: WatchEndsResponse,
  onRefused: (refused: { readonly name: string; readonly why: string }) => void,
): WatchEndsResponse {
  const refuse = (name: string, why: string): false => {
    onRefused({ name, why });
    return false;
  };
  const isLink = (name: string): boolean => name.startsWith("links/") && isId(name.slice("links/".length));
  const ends = message.ends.filter((end, index) => {
    if (index >= mostEnds) return index === mostEnds && refuse(end.link, `it tells of more than ${mostEnds} link ends`);
    if (!isLink(end.link)) return refuse(end.link, "it tells of the end of a link with a bad name");
    const bad = findBadValue(end);
    return bad === undefined || refuse(end.link, bad);
  });
  const removed = message.removed.filter(
    (link) => isLink(link) || refuse(link, "it removes the end of a link with a bad name"),
  );
  return { ...message, ends, removed };
}
