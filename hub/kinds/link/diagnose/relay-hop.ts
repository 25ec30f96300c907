import { agreeing, listed } from "../../../../lib/words.js";
import { type Link, LinkPath, LinkState } from "../../../../proto/gen/zor/v1/link.js";
import { type DiagnosedHop, HopVerdict } from "../../../../proto/gen/zor/v1/link_service.js";
import { placesOf } from "../link-record.js";
import { isLocal, isPlain } from "../reconcile/end-specs.js";
import type { DiagnosisOptions } from "./diagnosis-options.js";

/** The relay as a hop of a link; undefined where it plays no part: the link is local, in clear, or goes directly. */
export function relayHop(link: Link, { hosts, links, relay }: DiagnosisOptions): DiagnosedHop | undefined {
  const places = placesOf(link);
  if (isLocal(places) || link.spec === undefined || isPlain(link.spec)) return undefined;
  const status = links.view(link.name)?.status;
  const isUp = status?.state === LinkState.LINK_STATE_ACTIVE || status?.state === LinkState.LINK_STATE_DEGRADED;
  if (isUp && status.path !== LinkPath.LINK_PATH_RELAYED) return undefined;
  const ids = [places.a.host, places.b.host];
  const mustRelay = ids.every((id) => (hosts.find(id)?.cableAddresses.length ?? 0) === 0);
  const addresses = relay.access()?.addresses ?? [];
  if (addresses.length === 0) {
    const remedy = "start the hub with --relay-listen at an address that both hosts reach";
    return mustRelay
      ? hop(HopVerdict.HOP_VERDICT_BROKEN, "neither host can be dialled, and the hub has no relay", remedy)
      : undefined;
  }
  const { waiting, paired } = relay.stateOf(link.uid);
  const at = addresses.join(", ");
  if (paired) return hop(HopVerdict.HOP_VERDICT_OK, `both ends are connected through ${at}`, "");
  const missing = ids.filter((id) => !waiting.some(({ host }) => host === id)).map((id) => `hosts/${id}`);
  const verdict = mustRelay ? HopVerdict.HOP_VERDICT_BROKEN : HopVerdict.HOP_VERDICT_WARNING;
  if (missing.length === 0)
    return hop(HopVerdict.HOP_VERDICT_WARNING, `both ends are at ${at} and about to be joined`, "");
  return hop(
    verdict,
    `${listed(missing)} ${agreeing(missing.length, "has", "have")} not come to the relay at ${at}`,
    `let ${listed(missing)} connect to one of ${at} (TCP); look for a firewall between`,
  );
}

function hop(verdict: HopVerdict, detail: string, remedy: string): DiagnosedHop {
  return { host: "", hop: "relay", verdict, detail, remedy };
}
