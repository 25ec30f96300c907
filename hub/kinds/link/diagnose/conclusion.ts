import { LinkCause, LinkState, type LinkStatus } from "../../../../proto/gen/zor/v1/link.js";
import { type DiagnosedHop, HopVerdict, type LinkDiagnosis } from "../../../../proto/gen/zor/v1/link_service.js";

/** From near to far: what is broken early in this list is the cause of what is broken later. */
const hopOrder = ["agent", "lan", "tap", "engine", "socket", "relay", "path", "peer", "frames"];

/** What of a link its hops do not say. */
interface Known {
  readonly status: LinkStatus | undefined;
  /** Something is done to frames on purpose, at times at least: probes of hops do not notice. */
  readonly isImpaired: boolean;
}

const takeBack = "take it back: zor set link NAME --clear";

/** What the tested hops and the link's state mean, in one line. */
export function conclude(hops: readonly DiagnosedHop[], { status, isImpaired }: Known): LinkDiagnosis {
  const broken = first(hops, HopVerdict.HOP_VERDICT_BROKEN);
  if (broken !== undefined) return { healthy: false, summary: summaryOf(broken, "is broken"), remedy: broken.remedy };
  const state = status?.state ?? LinkState.LINK_STATE_UNSPECIFIED;
  const reason = status?.reason ?? "";
  const warning = first(hops, HopVerdict.HOP_VERDICT_WARNING);
  if (state === LinkState.LINK_STATE_ACTIVE) {
    if (reason !== "") {
      return { healthy: false, summary: `frames cross both ways, but ${reason}`, remedy: warning?.remedy ?? "" };
    }
    if (warning === undefined) {
      const summary = "all hops work and frames cross both ways";
      return isImpaired
        ? {
            healthy: true,
            summary: `${summary}, but they are impaired on purpose`,
            remedy: `if it disturbs, ${takeBack}`,
          }
        : { healthy: true, summary, remedy: "" };
    }
    return {
      healthy: true,
      summary: `frames cross both ways, but ${summaryOf(warning, "is not well")}`,
      remedy: warning.remedy,
    };
  }
  if (status?.cause === LinkCause.LINK_CAUSE_IMPAIRED) {
    return {
      healthy: false,
      summary: reason,
      remedy: `to let frames pass again, ${takeBack}`,
    };
  }
  if (state === LinkState.LINK_STATE_DEGRADED) {
    return {
      healthy: true,
      summary: `frames cross, but the link is degraded: ${reason}`,
      remedy: warning?.remedy ?? "",
    };
  }
  if (state === LinkState.LINK_STATE_DELETING) {
    return { healthy: false, summary: `the link is being deleted: ${reason}`, remedy: "" };
  }
  const name = (LinkState[state] ?? "unknown").replace("LINK_STATE_", "").toLowerCase();
  const said = reason === "" ? "" : `: ${reason}`;
  return {
    healthy: false,
    summary: `every hop that could be tested works, but the link is ${name}${said}`,
    remedy: warning?.remedy ?? "ask again in a few seconds; it may be connecting just now",
  };
}

function first(hops: readonly DiagnosedHop[], verdict: HopVerdict): DiagnosedHop | undefined {
  const rank = ({ hop }: DiagnosedHop): number => (hopOrder.indexOf(hop) + hopOrder.length) % hopOrder.length;
  return hops.filter((hop) => hop.verdict === verdict).toSorted((left, right) => rank(left) - rank(right))[0];
}

function summaryOf({ host, hop, detail }: DiagnosedHop, what: string): string {
  return `${hop}${host === "" ? "" : ` on ${host}`} ${what}: ${detail}`;
}
