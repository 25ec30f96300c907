import { join as joinPath } from "node:path";
import { formatHostPort } from "../../../lib/socket-address.js";
import type { SshTarget } from "../../../lib/ssh/target.js";
import { saveIdentity } from "../../../lib/tls/identity.js";
import { hubServerName, join } from "../../../lib/tls/join.js";
import { listContexts, saveContext } from "../../client/contexts.js";
import { SshDoor } from "../../client/ssh-door.js";
import type { Session } from "../session.js";
import { bringTasks, isOpenAddress, makeCurrent, prune, startUnit, writeSettings } from "./bring.js";
import type { HostFacts } from "./facts.js";
import { asLocalAdmin, hubAnswers } from "./hub-health.js";
import { findProblems } from "./problems.js";
import type { Remote } from "./remote.js";
import type { JobResult } from "./run-hosts.js";
import type { Step } from "./step.js";
import { switchOrBack } from "./switch.js";
import { tryOut } from "./trial.js";
import { type VisitOptions, visit } from "./visit.js";

/** What working on a hub needs. */
export interface HubOptions extends VisitOptions {
  readonly session: Session;
  readonly target: SshTarget;
}

/** What installing a hub works with. */
export interface HubInstallOptions extends HubOptions {
  /** Name of the context that leads to it from here, and of the person who becomes its administrator. */
  readonly context: string;
  readonly person: string;
  /** The context goes through ssh: the hub listens on loopback alone. */
  readonly throughSsh: boolean;
}

/** Of the API, joining, agents that dial out, and the relay of links. */
const ports = { api: 7440, join: 7441, reverse: 7442, relay: 7445 };
const zor = "/opt/zorhub/current/zor";

/** Brings a hub to the archive's version, running, with a context here that leads to it; does only what is not done yet. */
export async function installHub(options: HubInstallOptions, step: Step): Promise<JobResult> {
  const { session, archive, debs, unit, target, context } = options;
  const { contexts } = await listContexts(session.configDirectory);
  return visit(target, options, step, async (remote, facts) => {
    const expected = { archive, debs, host: undefined, caPem: "", hubAheadMs: 0, clockOf: "the one here" };
    const { isActive, isEnabled } = facts.units;
    return {
      resource: remote.connection.name,
      problems: findProblems(facts, { ...expected, ports: Object.values(ports) }),
      tasks: [
        ...bringTasks(remote, facts, options, step),
        {
          name: "settings",
          isNeeded: !facts.hasConfig,
          run: async () => writeConfig(remote, options.throughSsh ? "" : await remote.address()),
        },
        {
          name: "switch",
          isNeeded: facts.current !== archive.id,
          run: async () => {
            step("switches");
            if (isActive) await upgradeHub(remote, facts, options, step);
            else await makeCurrent(remote, archive.id);
          },
        },
        {
          name: "start",
          isNeeded: !isActive || !isEnabled,
          run: async () => {
            step("starts");
            await startUnit(remote, unit);
          },
        },
        {
          name: "context",
          isNeeded: !contexts.some(({ name }) => name === context),
          run: async () => {
            step("makes you its administrator");
            await becomeAdmin(remote, options);
          },
        },
      ],
      finish: async (done) => {
        if (done.length === 0) return { text: `nothing to do: runs ${archive.id}`, changed: false, notes: [] };
        const leads = `context ${context} leads to it: zor --context ${context} get hosts`;
        return { text: `runs ${archive.id}`, changed: true, notes: done.includes("context") ? [leads] : [] };
      },
    };
  });
}

/** Switches a running hub, and back again by itself when the new one does not answer. */
async function upgradeHub(remote: Remote, facts: HostFacts, options: HubOptions, step: Step): Promise<void> {
  const { archive, unit, session } = options;
  await tryOut({
    ...{ remote, unit, resource: remote.connection.name, step, signal: session.io.signal },
    ...switchOrBack(remote, facts, { id: archive.id, unit }),
    isWell: () => hubAnswers(remote, { build: archive.builds.hub }),
    wasWell: () => hubAnswers(remote, {}),
  });
  await prune(remote);
}

async function becomeAdmin(remote: Remote, options: HubInstallOptions): Promise<void> {
  const { session, context, person, target, throughSsh } = options;
  const create = `${zor} --timeout 30s token create --user ${person} --role admin`;
  const wait = `for i in 1 2 3 4 5 6 7 8 9 10; do [ ! -e /var/lib/zor/hub/admin/cert.pem ] || break; sleep 1; done`;
  const token = (await remote.must("making a token", `${wait}; ${asLocalAdmin()} ${create}`)).trim();
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
