import { expect, test } from "vitest";
import {
  engineHops,
  type Hop,
  lanHop,
  type SeenEngine,
  tapHop,
} from "../../../../../agent/kinds/link-end/diagnosis.js";
import type { EndDiagnosis } from "../../../../../proto/gen/zor/agent/v1/engine.js";
import { LinkCause, type LinkEnd, LinkPath, LinkRole } from "../../../../../proto/gen/zor/v1/link.js";

const connection = {
  localAddress: "10.0.0.1:7444",
  remoteAddress: "10.0.0.2:5000",
  path: LinkPath.LINK_PATH_DIRECT,
  age: { seconds: 60n, nanos: 0 },
};
const burst = { sent: 20, answered: 20, rtt: { seconds: 0n, nanos: 500_000 } };
const end: Pick<LinkEnd, "cause" | "reason" | "mtuProven" | "role"> = {
  cause: LinkCause.LINK_CAUSE_TIMED_OUT,
  reason: "10.0.0.2:7444 did not answer in 5 s",
  mtuProven: 1500,
  role: LinkRole.LINK_ROLE_DIALER,
};

function engine(diagnosis: Partial<EndDiagnosis>): SeenEngine {
  const nothing = { connection: undefined, burst: undefined, attempts: [] };
  const found = { tapFrameSent: true, peerFault: "", ...nothing, ...diagnosis };
  return { version: "0.1.0", listen: "10.0.0.1:7444", diagnosis: found };
}

/** @param cause undefined: the address answers. */
function attempt(cause?: LinkCause): Partial<EndDiagnosis> {
  const outcome = { answers: cause === undefined, cause: cause ?? LinkCause.LINK_CAUSE_UNSPECIFIED };
  return { attempts: [{ address: "10.0.0.2:7444", ...outcome, reason: cause === undefined ? "" : "why not" }] };
}

test.each<[string, Hop, Hop["verdict"], RegExp]>([
  ["a plugged port", lanHop("lan1", ""), "ok", /^$/],
  ["a missing lan", lanHop("lan1", undefined), "broken", /create the lan/],
  ["a port that is not plugged", lanHop("lan1", "no such device"), "broken", /no such device/],
  ["a tap that passes frames", tapHop({ name: "zc0", up: true, passesFrames: true }), "ok", /^$/],
  ["a tap that passes none", tapHop({ name: "zc0", up: true, passesFrames: false }), "broken", /restart/],
  ["a tap that is down", tapHop({ name: "zc0", up: false, passesFrames: undefined }), "broken", /ip link set zc0 up/],
  ["a tap that is gone", tapHop({ name: "zc0", up: undefined, passesFrames: undefined }), "broken", /log/],
  ["a tap that no engine tests", tapHop({ name: "zc0", up: true, passesFrames: undefined }), "skipped", /^$/],
])("%s", (_what, hop, verdict, remedy) => {
  expect(hop.verdict).toBe(verdict);
  expect(hop.remedy).toMatch(remedy);
});

test.each<[string, SeenEngine, readonly Hop["verdict"][], RegExp]>([
  ["all well", engine({ connection, burst }), ["ok", "ok", "ok", "ok"], /^$/],
  [
    "an engine that hangs",
    { failure: "it did not answer", isSilent: true },
    ["broken", "skipped", "skipped", "skipped"],
    /kill -CONT/,
  ],
  ["no engine", { failure: "it does not run" }, ["broken", "skipped", "skipped", "skipped"], /engine\.log/],
  [
    "refused",
    engine(attempt(LinkCause.LINK_CAUSE_REFUSED)),
    ["ok", "broken", "skipped", "skipped"],
    /agent of the other host runs/,
  ],
  ["silent", engine(attempt(LinkCause.LINK_CAUSE_TIMED_OUT)), ["ok", "broken", "skipped", "skipped"], /drops TCP/],
  ["no route", engine(attempt(LinkCause.LINK_CAUSE_UNREACHABLE)), ["ok", "broken", "skipped", "skipped"], /route/],
  [
    "another host",
    engine(attempt(LinkCause.LINK_CAUSE_CERTIFICATE)),
    ["ok", "broken", "skipped", "skipped"],
    /another host answers/,
  ],
  ["some loss", engine({ connection, burst: { ...burst, answered: 19 } }), ["ok", "ok", "warning", "ok"], /loses/],
  ["all lost", engine({ connection, burst: { ...burst, answered: 0 } }), ["ok", "ok", "broken", "ok"], /drops traffic/],
  [
    "a peer that is not well",
    engine({ connection, burst, peerFault: "peer says its lan is gone" }),
    ["ok", "ok", "ok", "broken"],
    /other host/,
  ],
])("%s: what is broken is named with a remedy, what follows is skipped", (_what, seen, verdicts, remedy) => {
  const hops = engineHops(end, seen);
  expect(hops.map(({ hop }) => hop)).toEqual(["engine", "socket", "path", "peer"]);
  expect(hops.map(({ verdict }) => verdict)).toEqual(verdicts);
  const bad = hops.find(({ verdict }) => verdict === "broken" || verdict === "warning");
  expect(bad?.remedy ?? "").toMatch(remedy);
});

test("a peer that answers although the end is down leaves the blame where the state sees it", () => {
  const policy = { ...end, cause: LinkCause.LINK_CAUSE_POLICY, reason: "one end is to encrypt the link" };
  expect(engineHops(policy, engine(attempt()))[1]).toMatchObject({
    verdict: "broken",
    remedy: expect.stringContaining("allowPlainLinks"),
  });
  const listener = { ...end, role: LinkRole.LINK_ROLE_LISTENER };
  expect(engineHops(listener, engine(attempt()))[1]?.remedy).toContain("other host, which is to dial");
});
