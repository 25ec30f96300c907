import { isIP } from "node:net";
import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import { formatHostPort, parseHostPort } from "../../../lib/socket-address.js";
import { formatTarget } from "../../../lib/ssh/target.js";
import { loadIdentity } from "../../../lib/tls/identity.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import type { Session } from "../session.js";
import { bringTasks, isOpenAddress, lastWords, makeCurrent, prune, startUnit, writeSettings } from "./bring.js";
import type { HostFacts } from "./facts.js";
import { findHost, hasJoined, lacksOf, noteSsh, readHubClock, tokenFor, waitUntilReady } from "./fleet-side.js";
import { findProblems } from "./problems.js";
import type { Remote } from "./remote.js";
import type { JobResult } from "./run-hosts.js";
import type { Step } from "./step.js";
import { switchOrBack } from "./switch.js";
import { tryOut } from "./trial.js";
import { type VisitOptions, visit } from "./visit.js";
import type { HostWish } from "./wishes.js";

/** What working on hosts of a fleet needs. */
export interface InstallOptions extends VisitOptions {
  readonly session: Session;
  /** "install": hosts may be new; "upgrade": only those that have joined. */
  readonly mode: "install" | "upgrade";
  readonly caPem: string;
  readonly hubAheadMs: number | undefined;
}

const [agentPort, cablePort] = [7443, 7444];
const zor = "/opt/zorhub/current/zor";

/** What all hosts of a run have in common, asked for once. */
export async function commonFacts(session: Session): Promise<Pick<InstallOptions, "caPem" | "hubAheadMs">> {
  const { identityDirectory } = await session.context();
  const { caPem } = await loadIdentity(identityDirectory);
  return { caPem, hubAheadMs: await readHubClock(session) };
}

/** Brings one host to the archive's version, joined and running; does only what is not done yet. */
export async function installHost(wish: HostWish, options: InstallOptions, step: Step): Promise<JobResult> {
  const { archive, debs, session, caPem, hubAheadMs } = options;
  const name = `hosts/${wish.id}`;
  return visit(wish.ssh, options, step, async (remote, facts) => {
    const known = await findHost(session, name);
    const way = await wayOf(wish, remote);
    const isJoined = facts.certificate !== "" && hasJoined(known);
    const { isActive, isEnabled } = facts.units;
    const work: Work = { wish, remote, facts, known, options, step };
    const ports = way.dialOut ? [] : [way.port, cablePort];
    return {
      resource: name,
      problems: [
        ...findProblems(facts, { archive, debs, host: name, caPem, hubAheadMs, clockOf: "the hub's", ports }),
        ...fleetProblems(wish, facts, known, options.mode),
      ],
      tasks: [
        ...bringTasks(remote, facts, options, step),
        {
          name: "switch",
          isNeeded: facts.current !== archive.id,
          run: async () => {
            step("switches");
            if (isActive && isJoined) await upgradeAgent(work);
            else await makeCurrent(remote, archive.id);
          },
        },
        { name: "join", isNeeded: !isJoined, run: () => joinFleet(work, way) },
        { name: "start", isNeeded: !isActive || !isEnabled || !isJoined, run: () => startAgent(work) },
      ],
      finish: (done) => finish(wish, options, { step, done }),
    };
  });
}

interface Work {
  readonly wish: HostWish;
  readonly remote: Remote;
  readonly facts: HostFacts;
  readonly known: Host | undefined;
  readonly options: InstallOptions;
  readonly step: Step;
}

/** Switches a running agent, and back again by itself when the hub does not reach the new one. */
async function upgradeAgent({ wish, remote, facts, options, step }: Work): Promise<void> {
  const { archive, unit, session } = options;
  const resource = `hosts/${wish.id}`;
  const isWell = (pid: bigint) => waitUntilReady(session, resource, pid);
  await tryOut({
    ...{ remote, unit, resource, step, signal: session.io.signal },
    ...switchOrBack(remote, facts, { id: archive.id, unit }),
    ...{ isWell, wasWell: isWell },
  });
  await prune(remote);
}

async function joinFleet({ wish, remote, facts, known, options, step }: Work, way: Way): Promise<void> {
  step("joins");
  if (!facts.hasConfig) await writeConfig(remote, way);
  // It cannot join while it runs, and what is left of another fleet is none of ours: findProblems has said so.
  await remote.must("stopping the agent", "systemctl stop zor-agent 2>/dev/null || true");
  const token = await tokenFor(options.session, wish, known);
  await remote.must("joining", `${zor} agent join - --config /etc/zor/agent.yaml`, {
    stdin: [Buffer.from(`${token}\n`)],
  });
}

async function startAgent({ wish, remote, options, step }: Work): Promise<void> {
  const { session, unit } = options;
  const name = `hosts/${wish.id}`;
  step("starts");
  await startUnit(remote, unit);
  step("waits for the hub to reach it");
  await waitUntilReady(session, name, undefined).catch(async (error: unknown) => {
    const words = await lastWords(remote, unit);
    const said = words === "" ? "" : `; the agent says: ${words}`;
    throw failedPrecondition("HOST_NOT_READY", name, `${messageOf(error)}${said}`);
  });
}

async function finish(
  { id, ssh }: HostWish,
  { session, archive, dryRun }: InstallOptions,
  { step, done }: { readonly step: Step; readonly done: readonly string[] },
): Promise<JobResult> {
  step("asks the hub");
  const host = await waitUntilReady(session, `hosts/${id}`, undefined);
  const isNoted = dryRun ? false : await noteSsh(session, host, formatTarget(ssh));
  const notes = done.includes("join") || done.includes("packages") ? lacksOf(host) : [];
  if (done.length === 0 && !isNoted) return { text: `nothing to do: runs ${archive.id}`, changed: false, notes };
  return { text: done.includes("join") ? `joined, runs ${archive.id}` : `runs ${archive.id}`, changed: true, notes };
}

function fleetProblems(
  { id }: HostWish,
  facts: HostFacts,
  known: Host | undefined,
  mode: InstallOptions["mode"],
): readonly string[] {
  if (mode === "upgrade" && (known === undefined || facts.current === ""))
    return [`hosts/${id} is not installed there yet; use: zor host install`];
  if (facts.certificate === "" && hasJoined(known)) {
    return [
      `hosts/${id} is a machine already, and not this one, or this one has lost its identity: choose another name (NAME=USER@HOST), or give it a new identity with zor host rejoin`,
    ];
  }
  return [];
}

/** How hub and hosts reach an agent. */
interface Way {
  readonly dialOut: boolean;
  readonly listen: string;
  readonly port: number;
  readonly underlay: readonly string[];
}

async function wayOf({ listen, underlay, dialOut }: HostWish, remote: Remote): Promise<Way> {
  const ip = listen === undefined ? await remote.address() : (parseHostPort(listen)?.host ?? "");
  const isOpen = isOpenAddress(ip);
  const port = (listen === undefined ? undefined : parseHostPort(listen)?.port) ?? agentPort;
  const isOut = dialOut ?? !isOpen;
  return {
    dialOut: isOut,
    listen:
      isOut && listen === undefined ? formatHostPort({ host: "127.0.0.1", port }) : formatHostPort({ host: ip, port }),
    port,
    underlay: underlay ?? (!isOpen || isIP(ip) === 0 ? [] : [ip]),
  };
}

async function writeConfig(remote: Remote, { dialOut, listen, underlay }: Way): Promise<void> {
  const [first] = underlay;
  const text = [
    "# What this host is and allows; no hub can widen it. Written once by zor host install, and never changed by it again.",
    `listen: [${JSON.stringify(listen)}]`,
    ...(dialOut ? ["dialOut: true"] : []),
    `underlay: ${JSON.stringify(underlay)}`,
    ...(first === undefined
      ? []
      : [`cableListen: ${JSON.stringify(formatHostPort({ host: first, port: cablePort }))}`]),
    "",
  ].join("\n");
  await writeSettings(remote, "agent", text);
}
