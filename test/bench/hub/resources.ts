import { pack, type ResourceOf } from "../../../lib/kinds/resource.js";
import { Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { WatchRequest, WatchResponse } from "../../../proto/gen/zor/v1/watch_service.js";

/** Instances in each lan. */
const instancesPerLan = 25;
const began = new Date();

/** Position of a step of an agent's watch. */
export interface Position {
  readonly epoch: string;
  readonly revision: bigint;
}

/** Something that a simulated agent tells of. */
export type Told = ResourceOf<"host"> | ResourceOf<"instance"> | ResourceOf<"lan">;

/** An encoded step that says how a resource is. */
export function encodeUpsert(resource: Told, position: Position | undefined): Uint8Array {
  const step = { $case: "upsert", value: pack(resource) } as const;
  return WatchResponse.encode({ position, step }).finish();
}

/** An encoded request to watch all instances. */
export function encodeWatchInstances(): Uint8Array {
  return WatchRequest.encode(WatchRequest.fromPartial({ kinds: ["instance"] })).finish();
}

/** Number of lans of a host with so many instances. */
export function lanCount(instances: number): number {
  return Math.ceil(instances / instancesPerLan);
}

/** A host as its agent tells of it. */
export function makeHost(id: string, instances: number): Host {
  return Host.fromPartial({
    name: `hosts/${id}`,
    uid: `uid-${id}`,
    state: HostState.HOST_STATE_READY,
    agentPid: 4711n,
    summary: {
      instances: { running: instances },
      lans: lanCount(instances),
      loadAverage: 1.5,
      memoryAvailableMib: 64_000n,
    },
    fingerprint: {
      agentVersion: "0.1.0",
      apiVersions: ["zor.v1"],
      operatingSystem: "Debian GNU/Linux 13 (trixie)",
      kernel: "6.12.48+deb13-amd64",
      architecture: "x86_64",
      cpuModel: "Intel(R) Xeon(R) Gold 6430",
      cpus: 64,
      memoryMib: 262_144n,
      probeTime: began,
      capabilities: ["qemu", "kvm", "crun", "openvswitch", "vxlan"].map((name) => ({
        id: name,
        available: true,
        version: "10.0.2",
        reason: "",
      })),
    },
  });
}

/** A machine with one NIC. */
export function makeInstance(host: { readonly id: string; readonly index: number }, number: number, reason = "") {
  const lan = `lan${Math.floor(number / instancesPerLan) + 1}`;
  const nic = {
    name: "eth0",
    lan,
    mac: macOf(host.index, number),
    addresses: [`10.77.${number >> 8}.${number & 255}/16`],
    port: `zt${number}e0`,
    deviceAddress: "0000:00:03.0",
  };
  return Instance.fromPartial({
    name: `hosts/${host.id}/instances/vm${number}`,
    uid: `6f1c2a3e-8d0b-4c55-9a77-${host.index.toString(16).padStart(6, "0")}${number.toString(16).padStart(6, "0")}`,
    labels: { site: "paris", role: number % 2 === 0 ? "router" : "client" },
    spec: {
      cpus: 2,
      memoryMib: 2048n,
      nics: [{ name: nic.name, lan: nic.lan, mac: nic.mac, addresses: nic.addresses }],
      driver: {
        $case: "qemu",
        value: { machine: "q35", disks: [{ image: "debian-13.qcow2", persistent: true, sizeMib: 8192n }] },
      },
    },
    status: {
      state: InstanceState.INSTANCE_STATE_RUNNING,
      reason,
      pid: BigInt(10_000 + number),
      startTime: began,
      observeTime: began,
      accelerator: "kvm",
      execReady: true,
      nics: [nic],
    },
    createTime: began,
  });
}

/** A lan with a port for each of its instances. */
export function makeLan(id: string, number: number, instances: number, count = 0n): Lan {
  const first = number * instancesPerLan;
  const ports = Array.from({ length: Math.min(instancesPerLan, instances - first) }, (_, at) => ({
    endpoint: `hosts/${id}/instances/vm${first + at}/nics/eth0`,
    port: `zt${first + at}e0`,
    rxFrames: 1_000_000n + count,
    rxBytes: 800_000_000n + count,
    txFrames: 1_000_000n + count,
    txBytes: 800_000_000n + count,
  }));
  return Lan.fromPartial({
    name: `hosts/${id}/lans/lan${number + 1}`,
    uid: `lan-${id}-${number}`,
    spec: { mtu: 1500 },
    status: { datapath: "netdev", ports, observeTime: began },
    createTime: began,
  });
}

function macOf(host: number, number: number): string {
  const digits = (host * 4096 + number).toString(16).padStart(10, "0");
  return `52:${digits.match(/../g)?.join(":") ?? ""}`;
}
