import type { CrossResult } from "../../network/cross-test.js";
import type { EndDiagnosis, EndView } from "../../engine/protocol/engine-protocol.js";

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
  | { readonly failure: string };

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
export function engineHops(view: Pick<EndView, "cause" | "reason" | "mtuProven" | "role">, engine: SeenEngine): Hop[] {
  if ("failure" in engine) {
    return [
      broken(
        "engine",
        engine.failure,
        "the agent starts it again; look at cable/engine.log in the agent's state directory",
      ),
      ...(["socket", "path", "peer"] as const).map((hop) => skipped(hop, "the cable engine does not answer")),
    ];
  }
  const { diagnosis, listen, version } = engine;
  return [
    ok("engine", `version ${version} answers and listens at ${listen}`),
    socketHop(view, diagnosis),
    pathHop(view, diagnosis),
    peerHop(diagnosis),
  ];
}

function socketHop(view: Pick<EndView, "cause" | "reason" | "role">, { connection, attempts }: EndDiagnosis): Hop {
  if (connection !== undefined) {
    const { localAddress, remoteAddress, ageMs } = connection;
    return ok("socket", `${localAddress} is connected to ${remoteAddress} since ${Math.round(ageMs / 1000)} s`);
  }
  const tried = attempts.map(({ address, kind, reason }) => `${address}: ${kind === "" ? "answers" : reason}`);
  const detail = [view.reason, ...(tried.length === 0 ? [] : [`tried now: ${tried.join("; ")}`])].join("; ");
  const reachable = attempts.some(({ kind }) => kind === "");
  const cause = reachable || attempts.length === 0 ? view.cause : (attempts[0]?.kind ?? view.cause);
  const waits = view.role === "listener" && reachable;
  return broken("socket", detail, waits ? "look at the other host, which is to dial this one" : remedyOf(cause));
}

function remedyOf(cause: EndView["cause"]): string {
  switch (cause) {
    case "refused":
      return "see that the agent of the other host runs and that its cableListen is this address";
    case "timed-out":
      return "see that the other host runs and that nothing between the hosts drops TCP to its cable port";
    case "unreachable":
      return "see that the hosts have a route to each other's underlay addresses";
    case "certificate":
      return "another host answers at this address, or its cable identity was replaced: correct the host's addresses";
    case "ticket":
    case "unpaired":
      return "see that the hub runs: it gives both ends a new ticket by itself";
    case "version":
      return "upgrade the agents of both hosts, and the hub, to the same version";
    case "policy":
      return "allow links without encryption on both hosts (allowPlainLinks), or encrypt the link";
    case "relay":
      return "see that the hub runs and that its relay can be reached from this host";
    case "port":
    case "engine":
      return "look at cable/engine.log in the agent's state directory";
    case "unknown-link":
    case "peer":
    case "lost":
    case "protocol":
    case "":
      return "look at the other end of the link: zor doctor link shows both";
  }
}

/** Loss above which a path is not as it should be. */
const muchLoss = 0.02;

function pathHop({ mtuProven }: Pick<EndView, "mtuProven">, { connection, burst }: EndDiagnosis): Hop {
  if (connection === undefined || burst === undefined) return skipped("path", "there is no connection");
  const { sent, answered, rttMs } = burst;
  const way = connection.path === "direct" ? "direct" : "through the relay";
  const answers = `${answered} of ${sent} probes came back`;
  if (answered === 0) {
    return broken(
      "path",
      `${way}; ${answers}`,
      "see what drops traffic between the hosts; it is connected anew by itself",
    );
  }
  const detail = `${way}; ${answers}, median round trip ${rttMs.toFixed(2)} ms, MTU ${mtuProven} proven`;
  if (answered >= sent * (1 - muchLoss)) return ok("path", detail);
  return { hop: "path", verdict: "warning", detail, remedy: "see what loses traffic between the hosts" };
}

function peerHop({ connection, peerFault }: EndDiagnosis): Hop {
  if (connection === undefined) return skipped("peer", "there is no connection");
  if (peerFault === "") return ok("peer", "the other end says nothing is wrong with it");
  return broken("peer", peerFault, "repair it on the other host");
}
