import { isIP } from "node:net";
import { failedPrecondition, messageOf, ZorError } from "../../../lib/errors.js";
import { formatHostPort, parseHostPort } from "../../../lib/socket-address.js";
import { formatTarget } from "../../../lib/ssh/target.js";
import { loadIdentity } from "../../../lib/tls/identity.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import type { Session } from "../session.js";
import {
  type BringOptions,
  bringPackages,
  bringVersion,
  isOpenAddress,
  lastWords,
  makeCurrent,
  prune,
  readFacts,
  rollBack,
  startUnit,
  switchTo,
  writeSettings,
} from "./bring.js";
import type { HostFacts } from "./facts.js";
import { findHost, hasJoined, lacksOf, noteSsh, readHubClock, tokenFor, waitUntilReady } from "./fleet-side.js";
import { findProblems } from "./problems.js";
import { Remote, type RemoteOptions } from "./remote.js";
import type { JobResult } from "./run-hosts.js";
import type { HostWish } from "./wishes.js";

/** What installing hosts works with. */
export interface InstallOptions extends BringOptions {
  readonly session: Session;
  readonly remote: RemoteOptions;
  /** Only looks, and says what would be done. */
  readonly dryRun: boolean;
  /** "install": hosts may be new; "upgrade": only those that have joined. */
  readonly mode: "install" | "upgrade";
  readonly caPem: string;
  readonly hubAheadMs: number | undefined;
}

type Step = (text: string) => void;

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
  using remote = await Remote.open(wish.ssh, options.remote);
  step("looks");
  const facts = await readFacts(remote, options);
  const name = `hosts/${wish.id}`;
  const known = await findHost(options.session, name);
  const way = await wayOf(wish, remote);
  const problems = [
    ...findProblems(facts, {
      ...{
        archive: options.archive,
        host: name,
        caPem: options.caPem,
        hubAheadMs: options.hubAheadMs,
        clockOf: "the hub's",
      },
      ports: way.dialOut ? [] : [way.port, cablePort],
    }),
    ...fleetProblems(wish, facts, known, options.mode),
  ];
  if (problems.length > 0) throw failedPrecondition("HOST_NOT_FIT", name, problems.join("; "));
  const todo = planOf(facts, known, options);
  if (todo.length === 0) return finish(wish, { options, step, done: [] });
  if (options.dryRun) return { text: `would: ${todo.join(", ")}`, changed: false, notes: [] };
  using _lock = await remote.lock();
  await carryOut({ wish, remote, facts, known, way, todo, options, step });
  return finish(wish, { options, step, done: todo });
}

/** What is to be done, in this order. */
type Task = "packages" | "version" | "switch" | "join" | "start";

function planOf(facts: HostFacts, known: Host | undefined, { archive, debs }: InstallOptions): readonly Task[] {
  const isJoined = facts.certificate !== "" && hasJoined(known);
  const isSwitched = facts.current === archive.id;
  const isRunning = facts.units.isActive && facts.units.isEnabled;
  return [
    ...(facts.missingPackages.length > 0 || (debs !== undefined && facts.current === "")
      ? (["packages"] as const)
      : []),
    ...(facts.versions.includes(archive.id) ? [] : (["version"] as const)),
    ...(isSwitched ? [] : (["switch"] as const)),
    ...(isJoined ? [] : (["join"] as const)),
    ...(isRunning && isJoined ? [] : (["start"] as const)),
  ];
}

interface Work {
  readonly wish: HostWish;
  readonly remote: Remote;
  readonly facts: HostFacts;
  readonly known: Host | undefined;
  readonly way: Way;
  readonly todo: readonly Task[];
  readonly options: InstallOptions;
  readonly step: Step;
}

async function carryOut({ wish, remote, facts, known, way, todo, options, step }: Work): Promise<void> {
  const { archive, unit, session } = options;
  const name = `hosts/${wish.id}`;
  if (todo.includes("packages")) {
    step("packages");
    await bringPackages(remote, facts.missingPackages, options, step);
  }
  if (todo.includes("version")) await bringVersion(remote, facts, options, step);
  const wasRunning = facts.units.isActive;
  if (todo.includes("switch")) {
    step("switches");
    if (wasRunning && !todo.includes("join")) await upgrade(remote, { name, facts, options, step });
    else await makeCurrent(remote, archive.id);
  }
  if (todo.includes("join")) {
    step("joins");
    if (!facts.hasConfig) await writeConfig(remote, way);
    // It cannot join while it runs, and what is left of another fleet is none of ours: findProblems has said so.
    await remote.must("stopping the agent", "systemctl stop zor-agent 2>/dev/null || true");
    const token = await tokenFor(session, wish, known);
    await remote.must("joining", `${zor} agent join - --config /etc/zor/agent.yaml`, {
      stdin: [Buffer.from(`${token}\n`)],
    });
  }
  if (!todo.includes("start")) return;
  step("starts");
  await startUnit(remote, unit);
  step("waits for the hub to reach it");
  await waitUntilReady(session, name, undefined).catch(async (error: unknown) => {
    const words = await lastWords(remote, unit);
    throw failedPrecondition(
      "HOST_NOT_READY",
      name,
      `${messageOf(error)}${words === "" ? "" : `; the agent says: ${words}`}`,
    );
  });
}

/** Switches a running agent, and back again by itself when the hub does not reach the new one. */
async function upgrade(
  remote: Remote,
  {
    name,
    facts,
    options,
    step,
  }: { readonly name: string; readonly facts: HostFacts; readonly options: InstallOptions; readonly step: Step },
): Promise<void> {
  const { archive, unit, session } = options;
  try {
    const pid = await switchTo(remote, archive.id, unit);
    step("waits for the hub to reach the new agent");
    await waitUntilReady(session, name, pid);
    await prune(remote);
  } catch (error) {
    if (session.io.signal.aborted || (error instanceof ZorError && error.reason.startsWith("SSH_"))) throw error;
    const words = await lastWords(remote, unit);
    step("rolls back");
    const pid = await rollBack(remote, unit);
    const after = await waitUntilReady(session, name, pid).then(
      () => "it runs as before",
      (later: unknown) => `and that did not help: ${messageOf(later)}`,
    );
    const said = words === "" ? "" : `; the new agent said: ${words}`;
    throw failedPrecondition(
      "ROLLED_BACK",
      name,
      `rolled back to ${facts.current}, ${after}, because: ${messageOf(error)}${said}`,
    );
  }
}

async function finish(
  { id, ssh }: HostWish,
  { options, step, done }: { readonly options: InstallOptions; readonly step: Step; readonly done: readonly Task[] },
): Promise<JobResult> {
  const { session, archive, dryRun } = options;
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
