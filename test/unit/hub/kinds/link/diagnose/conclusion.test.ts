import { describe, expect, test } from "vitest";
import { conclude } from "../../../../../../hub/kinds/link/diagnose/conclusion.js";
import { LinkState, LinkStatus } from "../../../../../../proto/gen/zor/v1/link.js";
import { type DiagnosedHop, HopVerdict } from "../../../../../../proto/gen/zor/v1/link_service.js";

const { HOP_VERDICT_OK: ok, HOP_VERDICT_WARNING: warning, HOP_VERDICT_BROKEN: broken } = HopVerdict;
const hop = (name: string, verdict = ok, host = "hosts/alpha"): DiagnosedHop => ({
  host,
  hop: name,
  verdict,
  detail: verdict === ok ? "fine" : `${name} says no`,
  remedy: verdict === ok ? "" : `mend the ${name}`,
});
const status = (state: keyof typeof LinkState, reason = ""): LinkStatus =>
  LinkStatus.fromPartial({ state: LinkState[state] as LinkState, reason });

describe("the conclusion of a diagnosis", () => {
  test.each<[string, DiagnosedHop[], LinkStatus | undefined, boolean, string, string]>([
    [
      "says that all is well",
      [hop("agent"), hop("path")],
      status("LINK_STATE_ACTIVE"),
      true,
      "all hops work and frames cross both ways",
      "",
    ],
    [
      "names the broken hop, where it is and what to do",
      [hop("agent"), hop("lan", broken)],
      status("LINK_STATE_DOWN"),
      false,
      "lan on hosts/alpha is broken: lan says no",
      "mend the lan",
    ],
    [
      "blames what is nearest, not what follows from it, on whatever host",
      [hop("socket", broken), hop("path", broken), hop("tap", broken, "hosts/beta")],
      status("LINK_STATE_DOWN"),
      false,
      "tap on hosts/beta is broken: tap says no",
      "mend the tap",
    ],
    [
      "does not hide an agent that is away behind the other end's good word",
      [hop("agent", broken), hop("path", ok, "hosts/beta")],
      status("LINK_STATE_DEGRADED", "cannot be confirmed"),
      false,
      "agent on hosts/alpha is broken: agent says no",
      "mend the agent",
    ],
    [
      "tells of a warning while the link works",
      [hop("path", warning)],
      status("LINK_STATE_ACTIVE"),
      true,
      "frames cross both ways, but path on hosts/alpha is not well: path says no",
      "mend the path",
    ],
    [
      "tells why a link is degraded",
      [hop("path")],
      status("LINK_STATE_DEGRADED", "lossy"),
      true,
      "frames cross, but the link is degraded: lossy",
      "",
    ],
    [
      "never calls a link healthy that is down",
      [hop("path")],
      status("LINK_STATE_DOWN", "refused"),
      false,
      "every hop that could be tested works, but the link is down: refused",
      "ask again in a few seconds; it may be connecting just now",
    ],
    [
      "says that it is being deleted",
      [],
      status("LINK_STATE_DELETING", "waits"),
      false,
      "the link is being deleted: waits",
      "",
    ],
    [
      "says that nothing is known",
      [],
      undefined,
      false,
      "every hop that could be tested works, but the link is unspecified",
      "ask again in a few seconds; it may be connecting just now",
    ],
  ])("%s", (_what, hops, current, healthy, summary, remedy) => {
    expect(conclude(hops, { status: current, isImpaired: false })).toEqual({ healthy, summary, remedy });
  });

  test("says that frames are impaired, which probes of hops do not notice", () => {
    expect(conclude([hop("path")], { status: status("LINK_STATE_ACTIVE"), isImpaired: true })).toEqual({
      healthy: true,
      summary: "all hops work and frames cross both ways, but they are impaired on purpose",
      remedy: "if it disturbs, take it back: zor set link NAME --clear",
    });
  });
});
