import { invalidArgument } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { hostOf } from "../../kit/resource-name.js";

/** Where a target is captured. */
export interface TargetPlace {
  /** Id of the host. */
  readonly host: string;
  readonly target: string;
}

/**
 * The host of a target. A link passes at both its ends: at its first one's host unless another is named. Where it ends at a NIC, tap or phy, what
 * passes that is what passes the link. @throws {ZorError}
 */
export async function placeOfTarget(
  connection: Connection,
  target: string,
  { at, signal }: { readonly at?: string | undefined; readonly signal: AbortSignal },
): Promise<TargetPlace> {
  const own = hostOf(target);
  if (own !== undefined) return { host: own, target };
  const { link } = await connection.unary(LinkServiceService.getLink, { name: target }, { signal });
  const ends = [link?.spec?.a ?? "", link?.spec?.b ?? ""];
  const end = at === undefined ? ends[0] : ends.find((each) => hostOf(each) === at);
  const host = hostOf(end ?? "");
  if (end === undefined || host === undefined)
    throw invalidArgument("--at", `${target} has no end there: its ends are ${ends.join(" and ")}`);
  return { host, target: end.includes("/lans/") ? target : end };
}
