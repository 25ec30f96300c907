import {
  type Link,
  LinkEncryption,
  type LinkEnd,
  LinkPath,
  LinkState,
  LinkTransport,
} from "../../../proto/gen/zor/v1/link.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatAge } from "../../kit/format.js";
import { hostOf } from "../../kit/resource-name.js";

/** How the frames of a link are protected on their way; "local" when they do not leave the host. */
export type Protection = "tls" | "none" | "local";

/** Way of the frames, for people; "-" when there is none. */
export function pathText({ status }: Link): string {
  return pathName(status?.path) || "-";
}

/** "direct", "relayed", "local"; empty when not connected. */
export function pathName(path: LinkPath | undefined): string {
  switch (path) {
    case LinkPath.LINK_PATH_DIRECT:
      return "direct";
    case LinkPath.LINK_PATH_RELAYED:
      return "relayed";
    case LinkPath.LINK_PATH_LOCAL:
      return "local";
    default:
      return "";
  }
}

/** How the frames are protected: as observed, and while there is nothing to observe, as specified. */
export function protectionOf({ spec, status }: Link): Protection {
  if (status?.path === LinkPath.LINK_PATH_LOCAL) return "local";
  if (status !== undefined && status.protection !== "") return status.protection === "none" ? "none" : "tls";
  const plain =
    spec?.encryption === LinkEncryption.LINK_ENCRYPTION_NONE || spec?.transport === LinkTransport.LINK_TRANSPORT_VXLAN;
  return plain ? "none" : "tls";
}

/** Whether frames cross, well or not. */
export function isCarrying({ status }: Link): boolean {
  return status?.state === LinkState.LINK_STATE_ACTIVE || status?.state === LinkState.LINK_STATE_DEGRADED;
}

/** Frames both ends have dropped, whatever for. */
export function droppedFrames({ status }: Link): bigint {
  return droppedByEnd(status?.endA) + droppedByEnd(status?.endB);
}

/** Frames an end has dropped, whatever for. */
export function droppedByEnd(end: LinkEnd | undefined): bigint {
  return end === undefined ? 0n : end.droppedQueueFrames + end.droppedDownFrames + end.droppedPortFrames;
}

/** "next try in 3s"; empty when none is due. */
export function nextTryText(time: Date | undefined, { fleet, nowMs }: CellContext): string {
  if (time === undefined) return "";
  const inMs = time.getTime() - fleet.hubTimeMs(nowMs);
  return inMs > 0 ? `next try in ${formatAge(inMs)}` : "trying now";
}

/** Ids of the hosts a link is between. */
export function hostsOfLink({ spec }: Link): readonly string[] {
  return [spec?.a, spec?.b].map((lan) => hostOf(lan ?? "") ?? "");
}
