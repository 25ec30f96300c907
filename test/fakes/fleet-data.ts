import { Host, HostState } from "../../proto/gen/zor/v1/host.js";
import { Instance, InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../proto/gen/zor/v1/lan.js";
import { Link, LinkEncryption, LinkPath, LinkRole, LinkState } from "../../proto/gen/zor/v1/link.js";
import { Operation, OperationState } from "../../proto/gen/zor/v1/operation.js";
import { Event, EventSeverity } from "../../proto/gen/zor/v1/event.js";
import type { KnownResource } from "../../lib/kinds/resource.js";

/** Any resource, as the watch carries it. */
export type AnyResource = KnownResource;

/** What the made-up fleet is like. */
export interface FleetShape {
  readonly hosts: number;
  readonly instancesPerHost: number;
  /** Number of hosts, from the last one, that do not answer. */
  readonly unreachable?: number;
  /** Adds resources whose free texts attack the terminal. */
  readonly hostile?: boolean;
  readonly nowMs: number;
}

/** Texts that act on a terminal which prints them as they are. */
export const hostileTexts: readonly string[] = [
  "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
  "abc\u202egnp.exe",
  "\u009b31mC1 \u0085 next line",
  "line\r\nbreak\ttab\u2028separator",
  "日本語の名前 wide 漢字 ｶﾅ 🎉",
  `combining e\u0301 zalgo a${"\u0300".repeat(30)} end`,
  "zero\u200bwidth\u200d\ufeff and \u{e0041} tag",
  "x".repeat(4000),
];

const names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];

/** Id of the host with an index. */
export function hostId(index: number): string {
  return names[index] ?? `host${index}`;
}

/** A whole fleet; the same shape gives the same fleet. */
export function fakeFleet(shape: FleetShape): AnyResource[] {
  const resources: AnyResource[] = [];
  for (let index = 0; index < shape.hosts; index += 1) {
    const gone = index >= shape.hosts - (shape.unreachable ?? 0);
    resources.push(fakeHost(hostId(index), gone, shape));
    resources.push(fakeLan(hostId(index), "lan1", shape));
    for (let number = 0; number < shape.instancesPerHost; number += 1) {
      resources.push(fakeInstance(hostId(index), number, shape));
    }
    if (index > 0)
      resources.push(fakeLink(`link${index}`, { a: hostId(index - 1), b: hostId(index), down: gone }, shape));
  }
  if (shape.hosts > 0) resources.push(fakeOperation(shape), fakeEvent(1, shape.nowMs, "instance.started", "started"));
  if (shape.hostile === true) resources.push(...hostileResources(shape));
  return resources;
}

function ago(shape: FleetShape, seconds: number): Date {
  return new Date(shape.nowMs - seconds * 1000);
}

function fakeHost(id: string, gone: boolean, shape: FleetShape): AnyResource {
  const value = Host.fromPartial({
    name: `hosts/${id}`,
    uid: `uid-${id}`,
    labels: { site: "lab1" },
    addresses: ["10.1.0.1:7443"],
    underlayAddresses: ["10.1.0.1"],
    state: gone ? HostState.HOST_STATE_UNREACHABLE : HostState.HOST_STATE_READY,
    reason: gone ? "no answer to 3 keepalives" : "",
    lastSeenTime: gone ? ago(shape, 14) : ago(shape, 0),
    createTime: ago(shape, 86_400),
    sessionRtt: { seconds: 0n, nanos: 420_000 },
    agentPid: 4242n,
    summary: {
      instances: { RUNNING: Math.ceil(shape.instancesPerHost / 2), STOPPED: Math.floor(shape.instancesPerHost / 2) },
      lans: 1,
      loadAverage: 0.42,
      memoryAvailableMib: 3072n,
    },
    fingerprint: {
      agentVersion: "0.1.0",
      operatingSystem: "Debian GNU/Linux 12",
      kernel: "6.1.0-18-amd64",
      cpuModel: "Some CPU",
      cpus: 2,
      memoryMib: 8192n,
      capabilities: [
        { id: "kvm", available: false, version: "", reason: "the device opens but does not boot a guest" },
      ],
    },
  });
  return { kind: "host", value };
}

function fakeLan(host: string, id: string, shape: FleetShape): AnyResource {
  const value = Lan.fromPartial({
    name: `hosts/${host}/lans/${id}`,
    uid: `uid-${host}-${id}`,
    spec: { mtu: 1500, rstp: false },
    createTime: ago(shape, 7200),
    status: {
      datapath: "netdev",
      observeTime: ago(shape, 1),
      ports: [port(`hosts/${host}/instances/vm0/nics/eth0`, "ztvm0", 1200n), port("links/link1", "ztlink1", 999_999n)],
    },
  });
  return { kind: "lan", value };
}

function port(endpoint: string, name: string, frames: bigint) {
  return { endpoint, port: name, rxFrames: frames, rxBytes: frames * 90n, txFrames: frames, txBytes: frames * 90n };
}

/** One instance; even numbers run, odd ones are stopped. */
function fakeInstance(host: string, number: number, shape: Pick<FleetShape, "nowMs">): AnyResource {
  const running = number % 2 === 0;
  const container = number % 3 === 1;
  const nic = { name: "eth0", lan: "lan1", mac: "02:00:00:00:00:01", addresses: [`10.0.0.${(number % 250) + 1}/24`] };
  const value = Instance.fromPartial({
    name: `hosts/${host}/instances/vm${number}`,
    uid: `uid-${host}-${number}`,
    labels: { role: container ? "client" : "router" },
    spec: {
      cpus: 1 + (number % 4),
      memoryMib: BigInt(128 * (1 + (number % 4))),
      nics: [nic],
      driver: container
        ? { $case: "crun", value: { rootfs: "micro", command: [], environment: {}, persistent: false } }
        : { $case: "qemu", value: { machine: "microvm", kernel: "micro" } },
    },
    status: {
      state: running ? InstanceState.INSTANCE_STATE_RUNNING : InstanceState.INSTANCE_STATE_STOPPED,
      pid: running ? 1000n + BigInt(number) : 0n,
      ...(running ? { startTime: new Date(shape.nowMs - 3_600_000 - number * 1000) } : {}),
      observeTime: new Date(shape.nowMs - 1000),
      accelerator: container ? "" : "tcg",
      execReady: running,
      nics: [{ ...nic, port: `ztp${number}` }],
    },
    createTime: new Date(shape.nowMs - 7_200_000),
  });
  return { kind: "instance", value };
}

function fakeLink(
  id: string,
  { a, b, down }: { readonly a: string; readonly b: string; readonly down: boolean },
  shape: FleetShape,
): AnyResource {
  const state = down ? LinkState.LINK_STATE_DOWN : LinkState.LINK_STATE_ACTIVE;
  const reason = down ? `${b} does not answer` : "";
  const end = (host: string, role: LinkRole) => ({
    lan: `hosts/${host}/lans/lan1`,
    role,
    state,
    reason,
    sinceTime: ago(shape, 90),
    port: "ztcable",
    localAddress: "10.1.0.1:7444",
    remoteAddress: down ? "" : "10.1.0.2:7444",
    txFrames: 12_345n,
    txBytes: 1_234_567n,
    rxFrames: 12_300n,
    rxBytes: 1_230_000n,
    droppedQueueFrames: down ? 7n : 0n,
    connects: 1n,
    protection: down ? "" : "TLSv1.3 TLS_AES_128_GCM_SHA256",
    enginePid: 777n,
  });
  const value = Link.fromPartial({
    name: `links/${id}`,
    uid: `uid-${id}`,
    spec: { a: `hosts/${a}/lans/lan1`, b: `hosts/${b}/lans/lan1`, encryption: LinkEncryption.LINK_ENCRYPTION_TLS },
    createTime: ago(shape, 3600),
    status: {
      state,
      reason,
      sinceTime: ago(shape, 90),
      path: down ? LinkPath.LINK_PATH_UNSPECIFIED : LinkPath.LINK_PATH_DIRECT,
      ...(down ? { nextTryTime: new Date(shape.nowMs + 3000) } : { rtt: { seconds: 0n, nanos: 210_000 } }),
      mtuProven: down ? 0 : 1500,
      endA: end(a, LinkRole.LINK_ROLE_LISTENER),
      endB: end(b, LinkRole.LINK_ROLE_DIALER),
    },
  });
  return { kind: "link", value };
}

function fakeOperation(shape: FleetShape): AnyResource {
  const value = Operation.fromPartial({
    name: "hosts/alpha/operations/op1",
    verb: "instance.create",
    target: "hosts/alpha/instances/vm0",
    state: OperationState.OPERATION_STATE_SUCCEEDED,
    step: "started",
    progressPercent: 100,
    createTime: ago(shape, 60),
    updateTime: ago(shape, 50),
    caller: "zor://user/ana",
  });
  return { kind: "operation", value };
}

/** One event. */
export function fakeEvent(number: number, timeMs: number, type: string, message: string): AnyResource {
  const value = Event.fromPartial({
    name: `events/e${number}`,
    time: new Date(timeMs),
    severity: EventSeverity.EVENT_SEVERITY_INFO,
    type,
    resource: "hosts/alpha/instances/vm0",
    message,
    caller: "zor://user/ana",
  });
  return { kind: "event", value };
}

function hostileResources(shape: FleetShape): AnyResource[] {
  const name = "hosts/alpha/instances/\x1b[2Jname\u202e";
  const events = hostileTexts.map((text, index) => fakeEvent(100 + index, shape.nowMs, text, text));
  const instances = hostileTexts.map((text, index): AnyResource => {
    const base = fakeInstance("alpha", 0, shape);
    // fakeInstance makes instances only.
    const value = Instance.fromPartial(base.value as Instance);
    value.name = index === 0 ? name : `hosts/alpha/instances/evil${index}`;
    value.labels = { note: text };
    if (value.status !== undefined) value.status.reason = text;
    return { kind: "instance", value };
  });
  return [...instances, ...events];
}
