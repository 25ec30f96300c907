import { echoSpec } from "../../extension/echo-driver.js";
import type { KindSubject } from "./contract.js";

type Subject = Omit<KindSubject, "server" | "start">;

/** The kind of the tests' own that lives on hosts. */
export const gauge: Subject = {
  singular: "gauge",
  spec: (number) => ({ lan: "", limit: number }),
  bad: { spec: { limit: 1001 }, field: "gauge.spec.limit" },
  change: { spec: { limit: 500 }, path: "spec.limit" },
};

/** Lans; what they are cannot be changed. */
export const lan: Subject = {
  singular: "lan",
  spec: (number) => ({ mtu: 1500 + number, rstp: false }),
  bad: { spec: { mtu: 100 }, field: "lan.spec.mtu" },
};

/** Nats that are in no lan, each with a subnet of its own. */
export const nat: Subject = {
  singular: "nat",
  spec: (number) => ({ subnet: `10.9.${number}.0/24` }),
  bad: { spec: { subnet: "10.9.0.1/24" }, field: "nat.spec.subnet" },
  change: { spec: { domain: "lab.example" }, path: "spec.domain" },
};

/** Taps of the host that are in no lan. */
export const tap: Subject = {
  singular: "tap",
  spec: (number) => ({ device: `ztt${number}` }),
  bad: { spec: { device: "-x" }, field: "tap.spec.device" },
  change: { spec: { addresses: ["10.9.0.1/24"] }, path: "spec.addresses" },
};

/** Phys that are in no lan: the host has their interfaces. */
export const phy: Subject = {
  singular: "phy",
  spec: (number) => ({ device: `ztp${number}` }),
  bad: { spec: { device: "ztp0", mode: 2, vlanId: 10 }, field: "phy.spec.vlan_id" },
  change: { spec: { portSettings: { vlan: { mode: 1, tag: 10 } } }, path: "spec.port_settings" },
};

/** Bridges that are joined with no lan. */
export const bridge: Subject = {
  singular: "bridge",
  spec: (number) => ({ bridge: `br${number}` }),
  bad: { spec: { bridge: "-x" }, field: "bridge.spec.bridge" },
  change: { spec: { dhcpOut: true }, path: "spec.dhcp_out" },
};

/** Vteps that are in no lan, each with a network of its own. */
export const vtep: Subject = {
  singular: "vtep",
  spec: (number) => ({ remote: "10.0.0.9", vni: number, dstPort: 4789 }),
  bad: { spec: { remote: "10.0.0.9", vni: 2 ** 24 }, field: "vtep.spec.vni" },
  change: { spec: { portSettings: { mirrorFrom: ["span1"], mirrorTo: [] } }, path: "spec.port_settings" },
};

/** Instances of a driver that the API has options for. */
export const instance: Subject = {
  singular: "instance",
  spec: () => ({ nics: [], driver: { $case: "crun", value: { rootfs: "micro" } } }),
  bad: {
    spec: { cpus: -1, nics: [], driver: { $case: "crun", value: { rootfs: "micro" } } },
    field: "instance.spec.cpus",
  },
  change: { spec: { memoryMib: 256n }, path: "spec.memory_mib" },
  create: { leaveStopped: true },
};

/** Instances of a driver of the tests' own. */
export const echo: Subject = {
  ...instance,
  spec: (number) => ({ nics: [], driver: echoSpec({ greeting: `hello ${number}` }) }),
  bad: { spec: { nics: [], driver: echoSpec({ greeting: "x".repeat(101) }) }, field: "instance.spec.other.greeting" },
};

/** Wires with nothing at their ends. */
export const wire: Subject = {
  singular: "wire",
  spec: () => ({ a: "", b: "", cut: false, keepCarrier: false, mtu: 1500 }),
  bad: { spec: { mtu: 100 }, field: "wire.spec.mtu" },
  change: { spec: { cut: true }, path: "spec.cut" },
};

/** Pools of directories in one of the tests' own. */
export function pool(storage: string): Subject {
  const spec = (path: string) => ({ description: "", backend: { $case: "directory", value: { path } } });
  return {
    singular: "pool",
    builtIn: ["default"],
    spec: () => spec(storage),
    bad: { spec: spec("/etc"), field: "pool.spec.directory.path" },
    change: { spec: { description: "for the lab" }, path: "spec.description" },
  };
}

/** Volumes in the pool that is always there. */
export const volume: Subject = {
  singular: "volume",
  spec: (number) => ({ pool: "default", sizeMib: BigInt(number), format: "qcow2", description: "" }),
  bad: { spec: { sizeMib: -1n }, field: "volume.spec.size_mib" },
  change: { spec: { sizeMib: 64n }, path: "spec.size_mib" },
};

const kept = {
  spec: (number: number) => ({ instance: "kept", description: `the ${number}th` }),
  change: { spec: { description: "before the change" }, path: "spec.description" },
} as const;

/** Snapshots of the instance "kept". */
export const snapshot: Subject = {
  singular: "snapshot",
  ...kept,
  bad: { spec: { instance: "kept", description: "x".repeat(1025) }, field: "snapshot.spec.description" },
};

/** Backups of the instance "kept". */
export const backup: Subject = {
  singular: "backup",
  ...kept,
  bad: { spec: { instance: "kept", bytesPerSecond: -1n }, field: "backup.spec.bytes_per_second" },
};
