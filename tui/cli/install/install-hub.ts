import { setTimeout as delay } from "node:timers/promises";
import { join as joinPath } from "node:path";
import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import { formatHostPort } from "../../../lib/socket-address.js";
import { saveIdentity } from "../../../lib/tls/identity.js";
import { hubServerName, join } from "../../../lib/tls/join.js";
import type { SshTarget } from "../../../lib/ssh/target.js";
import { listContexts, saveContext } from "../../client/contexts.js";
import { SshDoor } from "../../client/ssh-door.js";
import type { Session } from "../session.js";
import type { Archive } from "./archive.js";
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
import { findProblems } from "./problems.js";
import { Remote, type RemoteOptions } from "./remote.js";
import type { JobResult } from "./run-hosts.js";

/** What installing a hub works with. */
export interface HubInstallOptions extends BringOptions {
  readonly session: Session;
  readonly remote: RemoteOptions;
  readonly target: SshTarget;
  readonly dryRun: boolean;
  /** Name of the context that leads to it from here, and of the person who becomes its administrator. */
  readonly context: string;
  readonly person: string;
  /** The context goes through ssh: the hub listens on loopback alone. */
  readonly throughSsh: boolean;
}

type Step = (text: string) => void;

/** Of the API, joining, agents that dial out, and the relay of links. */
const ports = { api: 7440, join: 7441, reverse: 7442, relay: 7445 };
const zor = "/opt/zorhub/current/zor";
const upTimeoutMs = 60_000;

/** Brings a hub to the archive's version, running, with a context here that leads to it; does only what is not done yet. */
export async function installHub(options: HubInstallOptions, step: Step): Promise<JobResult> {
  const { session, archive, unit, target, dryRun, context } = options;
  using remote = await Remote.open(target, options.remote);
  step("looks");
  const facts = await readFacts(remote, options);
  const { contexts } = await listContexts(session.configDirectory);
  const hasContext = contexts.some(({ name }) => name === context);
  const problems = findProblems(facts, {
    ...{ archive, host: undefined, caPem: "", hubAheadMs: 0, clockOf: "the one here" },
    ports: Object.values(ports),
  });
  if (problems.length > 0) throw failedPrecondition("HOST_NOT_FIT", remote.connection.name, problems.join("; "));
  const todo = [
    ...(facts.missingPackages.length > 0 ? ["packages"] : []),
    ...(facts.versions.includes(archive.id) ? [] : ["version"]),
    ...(facts.current === archive.id ? [] : ["switch"]),
    ...(facts.units.isActive && facts.units.isEnabled ? [] : ["start"]),
    ...(hasContext ? [] : ["context"]),
  ];
  if (todo.length === 0) return { text: `nothing to do: runs ${archive.id}`, changed: false, notes: [] };
  if (dryRun) return { text: `would: ${todo.join(", ")}`, changed: false, notes: [] };
  using _lock = await remote.lock();
  if (todo.includes("packages")) {
    step("packages");
    await bringPackages(remote, facts.missingPackages, options, step);
  }
  if (todo.includes("version")) await bringVersion(remote, facts, options, step);
  if (!facts.hasConfig) await writeConfig(remote, options.throughSsh ? "" : await remote.address());
  if (todo.includes("switch")) {
    step("switches");
    if (facts.units.isActive) await upgrade(remote, options, { before: facts.current, step });
    else await makeCurrent(remote, archive.id);
  }
  if (todo.includes("start")) {
    step("starts");
    await startUnit(remote, unit);
  }
  if (!hasContext) {
    step("makes you its administrator");
    await becomeAdmin(remote, options);
  }
  return {
    text: `runs ${archive.id}`,
    changed: true,
    notes: hasContext ? [] : [`context ${context} leads to it: zor --context ${context} get hosts`],
  };
}

/** Switches a running hub, and back again by itself when the new one does not answer. */
async function upgrade(
  remote: Remote,
  { session, archive, unit }: HubInstallOptions,
  { before, step }: { readonly before: string; readonly step: Step },
): Promise<void> {
  try {
    await switchTo(remote, archive.id, unit);
    step("waits for the new hub to answer");
    await answers(remote, archive);
    await prune(remote);
  } catch (error) {
    if (session.io.signal.aborted) throw error;
    const words = await lastWords(remote, unit);
    step("rolls back");
    await rollBack(remote, unit);
    const after = await answers(remote, undefined).then(
      () => "it answers as before",
      (later: unknown) => `and that did not help: ${messageOf(later)}`,
    );
    const said = words === "" ? "" : `; the new hub said: ${words}`;
    throw failedPrecondition(
      "ROLLED_BACK",
      remote.connection.name,
      `rolled back to ${before}, ${after}, because: ${messageOf(error)}${said}`,
    );
  }
}

/** Asks the hub on its own machine, as its local administrator, until it is the wanted build, or any when none is given. */
async function answers(remote: Remote, archive: Archive | undefined): Promise<void> {
  const deadline = performance.now() + upTimeoutMs;
  for (;;) {
    const { code, stdout, stderr } = await remote.root(`${asLocalAdmin} ${zor} version -o json`);
    const isIt = archive === undefined ? code === 0 : stdout.includes(`"build": "${archive.builds.hub}"`);
    if (isIt) return;
    if (performance.now() > deadline) {
      throw failedPrecondition(
        "HUB_NOT_READY",
        remote.connection.name,
        `the hub does not answer${archive === undefined ? "" : " as the new version"} within a minute: ${(stderr.split("\n")[0] ?? "").slice(0, 300) || "it is another build"}`,
      );
    }
    await delay(500);
  }
}

/** A context of its own for root there, which nobody else sees. */
const asLocalAdmin = `export ZOR_CONFIG=/var/lib/zor/hub/installer; ${zor} context add local --address 127.0.0.1:${ports.api} --identity /var/lib/zor/hub/admin >/dev/null 2>&1;`;

async function becomeAdmin(remote: Remote, options: HubInstallOptions): Promise<void> {
  const { session, context, person, target, throughSsh } = options;
  const create = `${zor} --timeout 30s token create --user ${person} --role admin`;
  const wait = `for i in 1 2 3 4 5 6 7 8 9 10; do [ ! -e /var/lib/zor/hub/admin/cert.pem ] || break; sleep 1; done`;
  const token = (await remote.must("making a token", `${wait}; ${asLocalAdmin} ${create}`)).trim();
  // The one way that is there for certain.
  const door = await SshDoor.open(target, options.remote.doorOptions);
  try {
    const { identity, response } = await join(token, { door: async (address) => (await door.to(address)).address });
    const identityDirectory = joinPath(session.configDirectory, "identities", context);
    await saveIdentity(identityDirectory, identity);
    const way = throughSsh ? { ssh: target } : {};
    await saveContext(
      session.configDirectory,
      { name: context, addresses: response.hubAddresses, serverName: hubServerName, identityDirectory, ...way },
      true,
    );
  } finally {
    door.close();
  }
}

/** @param ip where it listens beside loopback; "": nowhere. */
async function writeConfig(remote: Remote, ip: string): Promise<void> {
  const isOpen = isOpenAddress(ip);
  const places = (port: number, alsoHere: boolean): string =>
    JSON.stringify([
      ...(alsoHere || !isOpen ? [`127.0.0.1:${port}`] : []),
      ...(isOpen ? [formatHostPort({ host: ip, port })] : []),
    ]);
  const text = [
    "# Written once by zor hub install, and never changed by it again.",
    "state: /var/lib/zor/hub",
    `listen: ${places(ports.api, true)}`,
    `joinListen: ${places(ports.join, true)}`,
    `reverseListen: ${places(ports.reverse, false)}`,
    `relayListen: ${places(ports.relay, false)}`,
    ...(isOpen ? [`advertise: [${JSON.stringify(formatHostPort({ host: ip, port: ports.api }))}]`] : []),
    "",
  ].join("\n");
  await writeSettings(remote, "hub", text);
}
