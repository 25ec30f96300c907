import { toMs } from "../../lib/duration.js";
import { messageOf } from "../../lib/errors.js";
import type { CallOptions, Connection } from "../../lib/grpc/connection.js";
import { type Host, hostStateToJSON } from "../../proto/gen/zor/v1/host.js";
import { HostServiceService, ListHostsRequest } from "../../proto/gen/zor/v1/host_service.js";
import { type Instance, instanceStateToJSON } from "../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService, ListInstancesRequest } from "../../proto/gen/zor/v1/instance_service.js";
import { linkPathToJSON, linkStateToJSON } from "../../proto/gen/zor/v1/link.js";
import { LinkServiceService } from "../../proto/gen/zor/v1/link_service.js";
import { linkName } from "./fleet.js";
import { findOrUndefined, openDemoHub } from "./hub-client.js";
import type { DemoLayout, HostLayout } from "./layout.js";
import { agentProgram, type DemoProgram, findProgram, hubProgram, supervisorProgram } from "./programs.js";

/** A program of the demo as it runs now. */
interface ProgramStatus {
  /** Null: it does not run. */
  readonly pid: number | null;
  readonly log: string;
}

/** One instance; `pid` is 0 when it does not run. */
interface InstanceStatus {
  readonly name: string;
  readonly state: string;
  readonly pid: number;
}

/** The whole demo, as `zor demo status -o json` prints it. */
export interface DemoStatus {
  readonly name: string;
  readonly directory: string;
  /** Name of the context with which the zor command reaches the hub. */
  readonly context: string;
  readonly supervisor: ProgramStatus;
  readonly hub: ProgramStatus & {
    readonly address: string;
    readonly stateDirectory: string;
    /** Null: the root namespace. */
    readonly namespace: null;
    /** Why the hub could not be asked; empty when it could. */
    readonly reason: string;
  };
  readonly agents: readonly (ProgramStatus & {
    readonly host: string;
    readonly address: string;
    readonly underlayAddress: string;
    readonly stateDirectory: string;
    readonly namespace: string;
    /** Namespace of the host's lans. */
    readonly lanNamespace: string;
    /** State of the host as the hub sees it, "HOST_STATE_READY" for example; empty when the hub could not be asked. */
    readonly state: string;
    readonly instances: readonly InstanceStatus[];
  })[];
  /** Null: there is none, or the hub could not be asked. */
  readonly link: {
    readonly name: string;
    readonly state: string;
    readonly path: string;
    readonly rttMs: number | null;
  } | null;
}

/** What the hub knows of the demo. */
interface HubView {
  readonly hosts: readonly Host[];
  readonly instances: readonly Instance[];
  readonly link: DemoStatus["link"];
  readonly reason: string;
}

/** Looks at a demo; never changes it, and tells what it can when parts are down. */
export async function readStatus(layout: DemoLayout): Promise<DemoStatus> {
  const view = await askHub(layout);
  return {
    name: layout.name,
    directory: layout.directory,
    context: layout.name,
    supervisor: await programStatus(supervisorProgram(layout)),
    hub: {
      ...(await programStatus(hubProgram(layout))),
      address: layout.hubMain,
      stateDirectory: layout.hubState,
      namespace: null,
      reason: view.reason,
    },
    agents: await Promise.all(layout.hosts.map((host) => agentStatus(layout, host, view))),
    link: view.link,
  };
}

async function agentStatus(layout: DemoLayout, host: HostLayout, view: HubView): Promise<DemoStatus["agents"][number]> {
  const known = view.hosts.find(({ name }) => name === `hosts/${host.id}`);
  return {
    host: host.id,
    ...(await programStatus(agentProgram(layout, host))),
    address: host.agentAddress,
    underlayAddress: host.underlayAddress,
    stateDirectory: host.state,
    namespace: host.namespace,
    lanNamespace: host.switchNamespace,
    state: known === undefined ? "" : hostStateToJSON(known.state),
    instances: view.instances
      .filter(({ name }) => name.startsWith(`hosts/${host.id}/`))
      .map(({ name, status }) => ({
        name,
        state: instanceStateToJSON(status?.state ?? 0),
        pid: Number(status?.pid ?? 0n),
      })),
  };
}

async function programStatus(program: DemoProgram): Promise<ProgramStatus> {
  return { pid: (await findProgram(program))?.pid ?? null, log: program.log };
}

/** A hub that hangs is told as such. */
const patienceMs = 4_500;

async function askHub(layout: DemoLayout): Promise<HubView> {
  let hub: Connection | undefined;
  if ((await findProgram(hubProgram(layout))) === undefined) {
    return { hosts: [], instances: [], link: null, reason: "it does not run" };
  }
  try {
    const endMs = performance.now() + patienceMs;
    const left = () => ({ timeoutMs: Math.max(250, endMs - performance.now()) });
    hub = await openDemoHub(layout);
    await hub.ready(3000);
    const { hosts } = await hub.unary(HostServiceService.listHosts, ListHostsRequest.fromPartial({}), left());
    const request = ListInstancesRequest.fromPartial({ parent: "hosts/-" });
    const { instances } = await hub.unary(InstanceServiceService.listInstances, request, left());
    return { hosts, instances, link: await findLink(hub, left()), reason: "" };
  } catch (error) {
    return { hosts: [], instances: [], link: null, reason: messageOf(error) };
  } finally {
    hub?.close();
  }
}

async function findLink(hub: Connection, options: CallOptions): Promise<DemoStatus["link"]> {
  const response = await findOrUndefined(hub.unary(LinkServiceService.getLink, { name: linkName }, options));
  const status = response?.link?.status;
  if (status === undefined) return null;
  const { rtt } = status;
  return {
    name: linkName,
    state: linkStateToJSON(status.state),
    path: linkPathToJSON(status.path),
    rttMs: rtt === undefined ? null : toMs(rtt),
  };
}

/** The status as lines for people. */
export function formatStatus(status: DemoStatus): string {
  const pid = (value: number | null) => (value === null ? "not running" : `pid ${value}`);
  const lines = [
    `demo ${status.name} in ${status.directory}`,
    `supervisor  ${pid(status.supervisor.pid)}`,
    `hub         ${pid(status.hub.pid)}, ${status.hub.address}${status.hub.pid === null || status.hub.reason === "" ? "" : `, ${status.hub.reason}`}`,
  ];
  for (const agent of status.agents) {
    const state = agent.state.replace("HOST_STATE_", "") || "state unknown";
    lines.push(`${agent.host.padEnd(11)} ${pid(agent.pid)}, ${agent.address}, namespace ${agent.namespace}, ${state}`);
    for (const instance of agent.instances) {
      lines.push(`            ${instance.name}  ${instance.state.replace("INSTANCE_STATE_", "")}, pid ${instance.pid}`);
    }
  }
  const { link } = status;
  const rtt = link?.rttMs === null || link?.rttMs === undefined ? "" : `, rtt ${link.rttMs.toFixed(2)} ms`;
  lines.push(
    link === null
      ? `link        ${status.hub.reason === "" ? "none" : "unknown"}`
      : `link        ${link.name}  ${link.state.replace("LINK_STATE_", "")}${rtt}`,
  );
  return lines.join("\n");
}
