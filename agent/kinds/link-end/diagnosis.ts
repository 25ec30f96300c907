import type { CrossResult } from "../../network/cross-test.js";
import { toMs } from "../../../lib/duration.js";
import type { EndDiagnosis } from "../../../proto/gen/zor/agent/v1/engine.js";
import { LinkCause, type LinkEnd, LinkPath, LinkRole } from "../../../proto/gen/zor/v1/link.js";

/** One hop of a link's end, tested. */
export interface Hop {
  readonly hop: "lan" | "tap" | "engine" | "socket" | "path" | "peer" | "frames";
  readonly verdict: "ok" | "warning" | "broken" | "skipped";
  /** What was tested and seen, for people. */
  readonly detail: string;
  /** What to do; empty when it works. */
  readonly remedy: string;
}

/** What was seen of a tap. */
export interface SeenTap {
  readonly name: string;
  /** It is up; undefined: it does not exist. */
  readonly up: boolean | undefined;
  /** A test frame written by the engine came in at the switch's side; undefined: it could not be tested. */
  readonly passesFrames: boolean | undefined;
}

/** What was seen of the engine: its answer, or why there is none. */
export type SeenEngine =
  | { readonly version: string; readonly listen: string; readonly diagnosis: EndDiagnosis }
  | {
      readonly failure: string;
      /** It runs, and says nothing. */
      readonly isSilent?: boolean;
    };

const ok = (hop: Hop["hop"], detail: string): Hop => ({ hop, verdict: "ok", detail, remedy: "" });
const skipped = (hop: Hop["hop"], detail: string): Hop => ({ hop, verdict: "skipped", detail, remedy: "" });
const broken = (hop: Hop["hop"], detail: string, remedy: string): Hop => ({ hop, verdict: "broken", detail, remedy });

/** The lan of an end and its port there. @param port undefined: the lan does not exist; "": plugged; else why not. */
export function lanHop(lan: string, port: string | undefined): Hop {
  if (port === undefined) return broken("lan", `lan ${lan} does not exist`, "create the lan again, or delete the link");
  if (port === "") return ok("lan", `lan ${lan} is there and the port is plugged into it`);
  return broken(
    "lan",
    `lan ${lan} is there, but carries nothing of the link: ${port}`,
    `look at the host's switch: ${port}`,
  );
}

/** Frames from the other end's switch through the link and this one. @param from the other lan, for people. */
export function framesHop({ sent, came, obstacle }: CrossResult, from: string): Hop {
  if (came > 0) return ok("frames", `${came} test frames sent in ${from} came through both switches and the link`);
  if (obstacle !== "") return skipped("frames", obstacle);
  return broken(
    "frames",
    `none of the test frames sent in ${from} came through the switches and the link, while ${sent} were sent from here`,
    "look at the other hops of both ends; when all are well, at what else is in the lans",
  );
}

/** The device between lan and engine. */
export function tapHop({ name, up, passesFrames }: SeenTap): Hop {
  if (up === undefined) {
    return broken("tap", `device ${name} does not exist`, "the engine makes it anew; look at its log if it stays away");
  }
  if (!up) return broken("tap", `device ${name} is down`, `set it up: ip link set ${name} up`);
  if (passesFrames === undefined) return skipped("tap", `device ${name} is up; the engine could not send a test frame`);
  if (passesFrames) return ok("tap", `device ${name} is up and a test frame of the engine came in`);
  return broken("tap", `device ${name} is up, but a test frame did not come in`, "restart the host's cable engine");
}

/** The engine's own hops, and those that it has tested. */
export function engineHops(end: Pick<LinkEnd, "cause" | "reason" | "mtuProven" | "role">, engine: SeenEngine): Hop[] {
  if ("failure" in engine) {
    return [
      broken(
        "engine",
        engine.failure,
        engine.isSilent === true
          ? "it runs and hangs, or was stopped: let it go on (kill -CONT), or kill it, and the agent starts it again"
          : "the agent starts it again; look at cable/engine.log in the agent's state directory",
      ),
      ...(["socket", "path", "peer"] as const).map((hop) => skipped(hop, "the cable engine does not answer")),
    ];
  }
  const { diagnosis, listen, version } = engine;
  return [
    ok("engine", `version ${version} answers and listens at ${listen}`),
    socketHop(end, diagnosis),
    pathHop(end, diagnosis),
    peerHop(diagnosis),
  ];
}

function socketHop(end: Pick<LinkEnd, "cause" | "reason" | "role">, { connection, attempts }: EndDiagnosis): Hop {
  if (connection !== undefined) {
    const { localAddress, remoteAddress, age } = connection;
    return ok("socket", `${localAddress} is connected to ${remoteAddress} since ${Math.round(toMs(age) / 1000)} s`);
  }
  const tried = attempts.map(({ address, answers, reason }) => `${address}: ${answers ? "answers" : reason}`);
  const detail = [end.reason, ...(tried.length === 0 ? [] : [`tried now: ${tried.join("; ")}`])].join("; ");
  const reachable = attempts.some(({ answers }) => answers);
  const cause = reachable ? end.cause : (attempts[0]?.cause ?? end.cause);
  const waits = end.role === LinkRole.LINK_ROLE_LISTENER && reachable;
  return broken("socket", detail, waits ? "look at the other host, which is to dial this one" : remedyOf(cause));
}

const remedies: Readonly<Partial<Record<LinkCause, string>>> = {
  [LinkCause.LINK_CAUSE_REFUSED]: "see that the agent of the other host runs and that its cableListen is this address",
  [LinkCause.LINK_CAUSE_TIMED_OUT]:
    "see that the other host runs and that nothing between the hosts drops TCP to its cable port",
  [LinkCause.LINK_CAUSE_UNREACHABLE]: "see that the hosts have a route to each other's underlay addresses",
  [LinkCause.LINK_CAUSE_CERTIFICATE]:
    "another host answers at this address, or its cable identity was replaced: correct the host's addresses",
  [LinkCause.LINK_CAUSE_TICKET]: "see that the hub runs: it gives both ends a new ticket by itself",
  [LinkCause.LINK_CAUSE_VERSION]: "upgrade the agents of both hosts, and the hub, to the same version",
  [LinkCause.LINK_CAUSE_POLICY]: "allow links without encryption on both hosts (allowPlainLinks), or encrypt the link",
  [LinkCause.LINK_CAUSE_RELAY]: "see that the hub runs and that its relay can be reached from this host",
  [LinkCause.LINK_CAUSE_LAN_GONE]: "look at cable/engine.log in the agent's state directory",
  [LinkCause.LINK_CAUSE_ENGINE]: "look at cable/engine.log in the agent's state directory",
};

/** The other causes are seen at the other end only. */
function remedyOf(cause: LinkCause): string {
  return remedies[cause] ?? "look at the other end of the link: zor doctor link shows both";
}

/** Loss above which a path is not as it should be. */
const muchLoss = 0.02;

function pathHop({ mtuProven }: Pick<LinkEnd, "mtuProven">, { connection, burst }: EndDiagnosis): Hop {
  if (connection === undefined || burst === undefined) return skipped("path", "there is no connection");
  const { sent, answered, rtt } = burst;
  const way = connection.path === LinkPath.LINK_PATH_DIRECT ? "direct" : "through the relay";
  const answers = `${answered} of ${sent} probes came back`;
  if (answered === 0) {
    return broken(
      "path",
      `${way}; ${answers}`,
      "see what drops traffic between the hosts; it is connected anew by itself",
    );
  }
  const detail = `${way}; ${answers}, median round trip ${toMs(rtt).toFixed(2)} ms, MTU ${mtuProven} proven`;
  if (answered >= sent * (1 - muchLoss)) return ok("path", detail);
  return { hop: "path", verdict: "warning", detail, remedy: "see what loses traffic between the hosts" };
}

function peerHop({ connection, peerFault }: EndDiagnosis): Hop {
  if (connection === undefined) return skipped("peer", "there is no connection");
  if (peerFault === "") return ok("peer", "the other end says nothing is wrong with it");
  return broken("peer", peerFault, "repair it on the other host");
}
