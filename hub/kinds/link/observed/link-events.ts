import type { WatchLog } from "../../../../lib/watch/watch-log.js";
import { EventSeverity } from "../../../../proto/gen/zor/v1/event.js";
import { LinkCause, LinkPath, LinkState, type LinkStatus } from "../../../../proto/gen/zor/v1/link.js";

/** Records what changed between two states of a link: its state, with the cause, or the path of its frames. */
export function recordLinkChange(log: WatchLog, name: string, before: LinkStatus, now: LinkStatus): void {
  if (before.state !== now.state) {
    const state = shortName(LinkState[now.state], "LINK_STATE_");
    const cause = now.cause === 0 ? "" : ` (${shortName(LinkCause[now.cause], "LINK_CAUSE_").replaceAll("_", " ")})`;
    const bad = now.state === LinkState.LINK_STATE_DOWN || now.state === LinkState.LINK_STATE_DEGRADED;
    const message = `${name} is ${state}${cause}${now.reason === "" ? "" : `: ${now.reason}`}`;
    record(log, { resource: name, type: `link.${state}`, message, bad });
    return;
  }
  const [from, to] = [before.path, now.path];
  if (from === to || from === LinkPath.LINK_PATH_UNSPECIFIED || to === LinkPath.LINK_PATH_UNSPECIFIED) return;
  const pathName = (path: LinkPath): string => shortName(LinkPath[path], "LINK_PATH_");
  const message = `${name} went from ${pathName(from)} to ${pathName(to)} while frames passed`;
  record(log, { resource: name, type: "link.path", message, bad: false });
}

interface LinkEvent {
  readonly resource: string;
  readonly type: string;
  readonly message: string;
  readonly bad: boolean;
}

function record(log: WatchLog, { resource, type, message, bad }: LinkEvent): void {
  const severity = bad ? EventSeverity.EVENT_SEVERITY_WARNING : EventSeverity.EVENT_SEVERITY_INFO;
  log.recordEvent("events", { severity, type, resource, message, caller: "" });
}

function shortName(name: string | undefined, prefix: string): string {
  return (name ?? "unknown").replace(prefix, "").toLowerCase();
}
