import { stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import { noMeta } from "../../lib/kinds/meta.js";
import { programPath } from "../../lib/program.js";
import { Host, HostState } from "../../proto/gen/zor/v1/host.js";
import { HostServiceService } from "../../proto/gen/zor/v1/host_service.js";
import { type Instance, InstanceSpec, InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { CreateInstanceRequest, InstanceServiceService } from "../../proto/gen/zor/v1/instance_service.js";
import { CreateLanRequest, LanServiceService } from "../../proto/gen/zor/v1/lan_service.js";
import { type Link, LinkState } from "../../proto/gen/zor/v1/link.js";
import { CreateLinkRequest, LinkServiceService } from "../../proto/gen/zor/v1/link_service.js";
import { TokenServiceService } from "../../proto/gen/zor/v1/token_service.js";
import { findOrUndefined, finish, retry } from "./hub-client.js";
import type { DemoLayout, HostLayout } from "./layout.js";
import { commandIn } from "./programs.js";
import { runTool } from "./tool.js";

/** The lan on each host, and the link that joins them. */
const lanId = "lan1";
export const linkName = "links/demo";

/** A guest of the demo. */
export interface Guest {
  /** "hosts/{host}/instances/{instance}". */
  readonly name: string;
  readonly host: string;
  readonly id: string;
  readonly kind: "machine" | "container";
  /** Address on the lan, without prefix length. */
  readonly address: string;
}

const guest = (host: string, id: string, kind: Guest["kind"], address: string): Guest => ({
  name: `hosts/${host}/instances/${id}`,
  host,
  id,
  kind,
  address,
});

/** One machine and one container a host, all in one subnet. */
export const guests: readonly Guest[] = [
  guest("alpha", "vm1", "machine", "10.77.0.11"),
  guest("alpha", "box1", "container", "10.77.0.12"),
  guest("beta", "vm2", "machine", "10.77.0.21"),
  guest("beta", "box2", "container", "10.77.0.22"),
];

/** What the fleet functions work with. */
export interface FleetContext {
  readonly hub: Connection;
  readonly layout: DemoLayout;
  readonly signal: AbortSignal;
}

/** Registers a host and lets its agent join, unless both have happened. The supervisor then starts the agent. */
export async function ensureHost({ hub, signal }: FleetContext, host: HostLayout): Promise<void> {
  const name = `hosts/${host.id}`;
  const joined = await exists(join(host.state, "identity", "cert.pem"));
  const known = await findOrUndefined(hub.unary(HostServiceService.getHost, { name }, { signal }));
  if (known !== undefined && joined) return;
  const token = known === undefined ? await registerHost(hub, host, signal) : await createToken(hub, host.id, signal);
  const argv = [programPath("agent"), "agent", "join", token, "--state", host.state];
  const facts = ["--listen", host.agentAddress, "--underlay", host.underlayAddress];
  const [command, args] = commandIn(host.namespace, [...argv, ...facts]);
  try {
    await runTool(command, args, { signal, timeoutMs: 30_000 });
  } catch (error) {
    // The token is single-use but stays out of messages all the same.
    throw new Error(`${host.id} could not join the hub: ${messageOf(error).replaceAll(token, "TOKEN")}`);
  }
}

async function registerHost(hub: Connection, host: HostLayout, signal: AbortSignal): Promise<string> {
  const { joinToken } = await hub.unary(
    HostServiceService.createHost,
    {
      hostId: host.id,
      host: Host.fromPartial({ addresses: [host.agentAddress], underlayAddresses: [host.underlayAddress] }),
      requestId: crypto.randomUUID(),
      validateOnly: false,
      tokenTtl: undefined,
    },
    { signal },
  );
  return joinToken;
}

async function createToken(hub: Connection, hostId: string, signal: AbortSignal): Promise<string> {
  const { token } = await hub.unary(
    TokenServiceService.createToken,
    { subject: { $case: "hostId", value: hostId }, role: 0, ttl: undefined, requestId: crypto.randomUUID() },
    { signal },
  );
  return token;
}

/** Waits until the hub has a session with a host. */
export async function waitForHost({ hub, signal, layout }: FleetContext, host: HostLayout): Promise<void> {
  const what = `host ${host.id} is not READY; its log: ${join(layout.directory, "log", `${host.id}.log`)}`;
  await retry({ timeoutMs: 60_000, signal, what }, async () => {
    const response = await hub.unary(HostServiceService.getHost, { name: `hosts/${host.id}` }, { signal });
    if (response.host?.state !== HostState.HOST_STATE_READY) throw new Error(response.host?.reason ?? "unknown state");
  });
}

/** Makes the host's lan if it is missing. */
export async function ensureLan({ hub, signal }: FleetContext, host: HostLayout): Promise<void> {
  const parent = `hosts/${host.id}`;
  if (
    (await findOrUndefined(hub.unary(LanServiceService.getLan, { name: `${parent}/lans/${lanId}` }, { signal }))) !==
    undefined
  )
    return;
  const request = CreateLanRequest.fromPartial({ parent, lanId, lan: {}, requestId: crypto.randomUUID() });
  await hub.unary(LanServiceService.createLan, request, { signal, timeoutMs: 60_000 });
}

/** Creates a guest if it is missing, and starts it if it is stopped. */
export async function ensureStarted({ hub, signal }: FleetContext, wanted: Guest): Promise<void> {
  const found = await findOrUndefined(hub.unary(InstanceServiceService.getInstance, { name: wanted.name }, { signal }));
  if (found === undefined) await createGuest(hub, wanted, signal);
  else await startGuest(hub, found.instance, signal);
}

/** Waits until commands can be run in a guest. */
export async function waitForGuest({ hub, signal }: FleetContext, wanted: Guest): Promise<void> {
  const what = `${wanted.name} does not become ready`;
  // A machine without hardware virtualization starts for seconds, and being asked takes from the same processors.
  await retry({ timeoutMs: 90_000, signal, what, pauseMs: 250 }, async () => {
    const { instance } = await hub.unary(InstanceServiceService.getInstance, { name: wanted.name }, { signal });
    if (instance?.status?.execReady !== true)
      throw new Error(instance?.status?.reason || "commands cannot be run in it yet");
  });
}

async function createGuest(hub: Connection, wanted: Guest, signal: AbortSignal): Promise<void> {
  const driver: InstanceSpec["driver"] =
    wanted.kind === "machine"
      ? InstanceSpec.fromPartial({ driver: { $case: "qemu", value: { kernel: "micro" } } }).driver
      : InstanceSpec.fromPartial({ driver: { $case: "crun", value: { rootfs: "micro" } } }).driver;
  const request = CreateInstanceRequest.fromPartial({
    parent: `hosts/${wanted.host}`,
    instanceId: wanted.id,
    requestId: crypto.randomUUID(),
  });
  const nics = [
    {
      name: "eth0",
      lan: lanId,
      mac: "",
      addresses: [`${wanted.address}/24`],
      port: "",
      deviceAddress: "",
      model: "",
      queues: 0,
    },
  ];
  request.instance = {
    name: "",
    uid: "",
    labels: { demo: "yes" },
    spec: InstanceSpec.fromPartial({ nics, driver }),
    status: undefined,
    ...noMeta,
    createTime: undefined,
  };
  const { operation } = await hub.unary(InstanceServiceService.createInstance, request, { signal, timeoutMs: 60_000 });
  await finish(hub, operation, signal);
}

async function startGuest(hub: Connection, instance: Instance | undefined, signal: AbortSignal): Promise<void> {
  const state = instance?.status?.state;
  if (instance === undefined) return;
  if (state !== InstanceState.INSTANCE_STATE_STOPPED && state !== InstanceState.INSTANCE_STATE_FAILED) return;
  const request = { name: instance.name, requestId: crypto.randomUUID(), validateOnly: false };
  await hub.unary(InstanceServiceService.startInstance, request, { signal, timeoutMs: 60_000 });
}

/** Declares the link if it is missing and waits until frames cross it both ways. */
export async function ensureLink({ hub, layout, signal }: FleetContext): Promise<Link> {
  const [alpha, beta] = layout.hosts;
  const lanOf = (host: HostLayout) => `hosts/${host.id}/lans/${lanId}`;
  if ((await findOrUndefined(hub.unary(LinkServiceService.getLink, { name: linkName }, { signal }))) === undefined) {
    const request = CreateLinkRequest.fromPartial({
      linkId: linkName.slice("links/".length),
      link: { labels: { demo: "yes" }, spec: { a: lanOf(alpha), b: lanOf(beta) } },
      requestId: crypto.randomUUID(),
    });
    const { operation } = await hub.unary(LinkServiceService.createLink, request, { signal, timeoutMs: 60_000 });
    await finish(hub, operation, signal);
  }
  return retry({ timeoutMs: 60_000, signal, what: `${linkName} does not become ACTIVE` }, async () => {
    const { link } = await hub.unary(LinkServiceService.getLink, { name: linkName }, { signal });
    if (link?.status?.state === LinkState.LINK_STATE_ACTIVE) return link;
    throw new Error(link?.status?.reason ?? "no state yet");
  });
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
