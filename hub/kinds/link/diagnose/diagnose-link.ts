import { randomBytes } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { AsyncQueue } from "../../../../lib/async-queue.js";
import { messageOf, ZorError } from "../../../../lib/errors.js";
import { leavesFramesAlone } from "../../../../lib/impairment.js";
import { timeLimit } from "../../../../lib/time-limit.js";
import { AgentServiceService } from "../../../../proto/gen/zor/agent/v1/agent_service.js";
import { CableServiceService } from "../../../../proto/gen/zor/agent/v1/cable_service.js";
import { HostState } from "../../../../proto/gen/zor/v1/host.js";
import type { Link } from "../../../../proto/gen/zor/v1/link.js";
import { type DiagnosedHop, type DiagnoseLinkResponse, HopVerdict } from "../../../../proto/gen/zor/v1/link_service.js";
import type { Fleet } from "../../../fleet/fleet.js";
import { lastSeenText } from "../../../fleet/host-record.js";
import { placesOf } from "../link-record.js";
import { blockedOf } from "../observed/blocked.js";
import { conclude } from "./conclusion.js";
import type { DiagnosisOptions } from "./diagnosis-options.js";
import { type FramesContext, judgeFrames } from "./frames-hop.js";
import { relayHop } from "./relay-hop.js";

const pingMs = 3000;
const tokenBytes = 16;
/** An agent tests its hops within 10 s. */
const diagnoseMs = 15_000;
/** An agent that tells of more hops than there can be is not listened to any longer. */
const maxHops = 64;

/**
 * Walks a link: the session with each agent, each host's own hops as its agent tests them, and the relay. A host that does not
 * answer is said to be so, and the other is tested all the same. The conclusion comes last.
 */
export async function* diagnoseLink(
  name: string,
  options: DiagnosisOptions,
  signal: AbortSignal,
): AsyncIterable<DiagnoseLinkResponse> {
  const record = options.links.find(name);
  if (record === undefined) return;
  const places = placesOf(record.link);
  const hosts = [...new Set([places.a.host, places.b.host])];
  // Both hosts are tested at the same time, and told of one after the other; with the same token they send each other frames.
  const asked = { link: name, token: randomBytes(tokenBytes) };
  const queues = hosts.map((host) => startHost(host, asked, options, signal));
  const hops: DiagnosedHop[] = [];
  const tell = (hop: DiagnosedHop): DiagnoseLinkResponse => {
    hops.push(hop);
    return { message: { $case: "hop", value: hop } };
  };
  const frames: DiagnosedHop[] = [];
  for (const queue of queues) {
    for await (const hop of queue) {
      if (hop.hop === "frames") frames.push(hop);
      else yield tell(hop);
    }
  }
  for (const hop of judgeFrames(frames, framesContext(record.link, options))) yield tell(hop);
  const relayed = relayHop(record.link, options);
  if (relayed !== undefined) yield tell(relayed);
  const { spec } = record.link;
  const isImpaired =
    (spec?.schedule ?? []).length > 0 || !leavesFramesAlone(spec?.aToB) || !leavesFramesAlone(spec?.bToA);
  const known = { status: options.links.view(name)?.status, isImpaired };
  yield { message: { $case: "diagnosis", value: conclude(hops, known) } };
}

function framesContext(link: Link, { links }: DiagnosisOptions): FramesContext {
  const { a, b } = placesOf(link);
  const { spec } = link;
  const status = links.view(link.name)?.status;
  const scheduled = (spec?.schedule ?? []).length > 0;
  return {
    a: `hosts/${a.host}`,
    b: `hosts/${b.host}`,
    blocked: blockedOf(spec, { a: status?.endA, b: status?.endB }),
    impaired: { aToB: scheduled || spec?.aToB !== undefined, bToA: scheduled || spec?.bToA !== undefined },
  };
}

function startHost(
  host: string,
  asked: Asked,
  options: DiagnosisOptions,
  signal: AbortSignal,
): AsyncQueue<DiagnosedHop> {
  const queue = new AsyncQueue<DiagnosedHop>(maxHops);
  const push = (hop: Omit<DiagnosedHop, "host"> & { readonly host?: string }): void => {
    queue.push({ ...hop, host: hop.host === undefined || hop.host === "" ? `hosts/${host}` : hop.host });
  };
  walkHost(host, asked, { ...options, signal, push }).then(
    () => queue.end(),
    (error: unknown) => queue.fail(error),
  );
  return queue;
}

type Push = (hop: Omit<DiagnosedHop, "host"> & { readonly host?: string }) => void;

/** What both agents are asked. */
interface Asked {
  readonly link: string;
  readonly token: Buffer;
}

async function walkHost(
  host: string,
  asked: Asked,
  { fleet, links, signal, push }: DiagnosisOptions & { readonly signal: AbortSignal; readonly push: Push },
): Promise<void> {
  const agent = fleet.findReady(host);
  if (agent === undefined) {
    push(absentAgent(host, fleet));
    push(skipped("engine", "its agent cannot be asked; the cable engine runs without it, and may be well"));
    return;
  }
  const both = AbortSignal.any([signal, agent.signal]);
  const begin = performance.now();
  try {
    await agent.connection.unary(AgentServiceService.ping, {}, { timeoutMs: pingMs, signal: both });
  } catch (error) {
    push({
      ...broken("agent", `the session is up, but the agent did not answer just now: ${messageOf(error)}`),
      remedy: "look at the agent's log and at the load of the host",
    });
    push(skipped("engine", "its agent cannot be asked"));
    return;
  }
  const ms = (performance.now() - begin).toFixed(1);
  push({ hop: "agent", verdict: HopVerdict.HOP_VERDICT_OK, detail: `answers in ${ms} ms`, remedy: "" });
  const tooLong = timeLimit(diagnoseMs);
  try {
    const bounded = { signal: AbortSignal.any([both, tooLong]) };
    for await (const { hop } of agent.connection.stream(CableServiceService.diagnoseEnd, asked, bounded)) {
      if (hop !== undefined) push(hop);
    }
  } catch (error) {
    if (tooLong.aborted && !both.aborted) push(unfinishedWalk);
    else push(failedWalk(error, links.problemOf(asked.link, host)));
  }
}

function absentAgent(host: string, fleet: Fleet): Omit<DiagnosedHop, "host"> {
  if (fleet.find(host) === undefined) {
    return {
      ...broken("agent", "the host is not registered with this hub"),
      remedy: `register it with "zor host add ${host}", or delete the link`,
    };
  }
  const { state, reason, lastSeenTime } = fleet.get(host, new Date());
  const name = (HostState[state] ?? "").replace("HOST_STATE_", "").toLowerCase();
  return {
    ...broken(
      "agent",
      `its agent is ${name}, ${lastSeenText(lastSeenTime, new Date())}${reason === "" ? "" : `: ${reason}`}`,
    ),
    remedy: `check that the host runs and "zor agent run" on it, and that the hub reaches it`,
  };
}

const unfinishedWalk = {
  ...broken("engine", `its agent did not finish testing in ${diagnoseMs / 1000} s`),
  remedy: "look at the load of the host and at the agent's log there",
};

function failedWalk(error: unknown, problem: string): Omit<DiagnosedHop, "host"> {
  const code = error instanceof ZorError ? error.code : undefined;
  if (code === status.NOT_FOUND) {
    return {
      ...broken("engine", `the host has no end of this link${problem === "" ? "" : `: ${problem}`}`),
      remedy:
        problem === "" ? "the hub is making it; ask again in a few seconds" : "remove the cause; the hub keeps trying",
    };
  }
  if (code === status.UNIMPLEMENTED) {
    const detail = "this version of the agent cannot test its hops";
    return { hop: "engine", verdict: HopVerdict.HOP_VERDICT_WARNING, detail, remedy: "upgrade the agent" };
  }
  return { ...broken("engine", messageOf(error)), remedy: "look at the agent's log on the host" };
}

function broken(hop: string, detail: string): Omit<DiagnosedHop, "host"> {
  return { hop, verdict: HopVerdict.HOP_VERDICT_BROKEN, detail, remedy: "" };
}

function skipped(hop: string, detail: string): Omit<DiagnosedHop, "host"> {
  return { hop, verdict: HopVerdict.HOP_VERDICT_SKIPPED, detail, remedy: "" };
}
