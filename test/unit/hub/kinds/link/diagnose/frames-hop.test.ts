import { expect, test } from "vitest";
import { conclude } from "../../../../../../hub/kinds/link/diagnose/conclusion.js";
import { judgeFrames } from "../../../../../../hub/kinds/link/diagnose/frames-hop.js";
import { LinkCause, LinkState, LinkStatus } from "../../../../../../proto/gen/zor/v1/link.js";
import { type DiagnosedHop, HopVerdict } from "../../../../../../proto/gen/zor/v1/link_service.js";

const { HOP_VERDICT_OK: ok, HOP_VERDICT_WARNING: warning, HOP_VERDICT_BROKEN: broken } = HopVerdict;
const { HOP_VERDICT_SKIPPED: skipped } = HopVerdict;
const [a, b] = ["hosts/alpha", "hosts/beta"];
const hop = (host: string, verdict: HopVerdict): DiagnosedHop => ({
  host,
  hop: "frames",
  verdict,
  detail: `seen by ${host}`,
  remedy: "",
});
const no = { aToB: false, bToA: false };
const aToB = { aToB: true, bToA: false };

test.each([
  ["what came is fine", [hop(a, ok), hop(b, ok)], no, no, [ok, ok]],
  ["what did not come is broken", [hop(a, ok), hop(b, broken)], no, no, [ok, broken]],
  ["in the other direction too", [hop(a, broken), hop(b, ok)], no, no, [broken, ok]],
  ["nothing is said of an end whose other sent nothing", [hop(a, skipped), hop(b, broken)], no, no, [skipped, skipped]],
  ["or is away", [hop(b, broken)], no, no, [skipped]],
  ["where nothing is to pass none can come", [hop(a, ok), hop(b, broken)], aToB, aToB, [ok, warning]],
  ["which excuses one direction only", [hop(a, broken), hop(b, broken)], aToB, aToB, [broken, warning]],
  ["where frames are impaired they may all be lost or late", [hop(a, ok), hop(b, broken)], no, aToB, [ok, warning]],
])("%s", (_what, hops, blocked, impaired, verdicts) => {
  expect(judgeFrames(hops, { a, b, blocked, impaired }).map(({ verdict }) => verdict)).toEqual(verdicts);
});

test("of a link within one host the first hop is from a to b", () => {
  const hops = [hop(a, broken), hop(a, broken)];
  const judged = judgeFrames(hops, { a, b: a, blocked: aToB, impaired: aToB });
  expect(judged.map(({ verdict }) => verdict)).toEqual([warning, broken]);
});

test("a link in which nothing passes on purpose does not work, and the way to take it back is told", () => {
  const reason = "impaired on purpose: nothing passes from hosts/alpha to hosts/beta";
  const status = LinkStatus.fromPartial({
    state: LinkState.LINK_STATE_DEGRADED,
    cause: LinkCause.LINK_CAUSE_IMPAIRED,
    reason,
  });
  const { healthy, summary, remedy } = conclude([hop(a, ok), hop(b, warning)], { status, isImpaired: true });
  expect([healthy, summary]).toEqual([false, reason]);
  expect(remedy).toContain("--clear");
});
