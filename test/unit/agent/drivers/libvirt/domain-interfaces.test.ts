import { mkdtempSync, rmSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkInterfaces, DomainInterfaces } from "../../../../../agent/drivers/libvirt/domain-interfaces.js";
import type { DomainAccess } from "../../../../../agent/drivers/libvirt/domain-access.js";
import type { Domain, DomainInterface } from "../../../../../agent/drivers/libvirt/domain.js";
import type { DriverInstance } from "../../../../../agent/drivers/driver.js";
import { toHostDeviceName } from "../../../../../agent/network/names.js";
import { runTag } from "../../../../helpers/run-tag.js";
import { InstanceSpec } from "../../../../../proto/gen/zor/v1/instance.js";

const uid = "6695eb01-f6a4-8304-79aa-97f2502e193f";
const options = { signal: new AbortController().signal };
const handle = { pid: 1, startTicks: "0", extra: {} };
const mac = "02:00:00:00:00:01";
const directory = mkdtempSync(join(tmpdir(), `${runTag}-`));
afterAll(() => rmSync(directory, { recursive: true }));
const device = toHostDeviceName(uid, 0);

function specOf(hypervisor: string, nic: object = {}): InstanceSpec {
  return InstanceSpec.fromPartial({
    nics: [{ name: "eth0", mac, ...nic }],
    driver: { $case: "libvirt", value: { hypervisor, uuid: uid } },
  });
}

/** Interfaces of a domain that has these, and what virsh was told. */
function made(spec: InstanceSpec, interfaces: readonly DomainInterface[]) {
  const told: { argv: readonly string[]; input: string | undefined }[] = [];
  const access: DomainAccess = {
    find: async () => ({ uri: "qemu:///system", domain: { uuid: uid, interfaces } as unknown as Domain }),
    ask: async (_instance, _doing, argv) => {
      const file = argv.find((word) => word.endsWith(".xml"));
      told.push({ argv, input: file === undefined ? undefined : await readFile(file, "utf8") });
      return "";
    },
  };
  const instance: DriverInstance = { name: "hosts/h/instances/web", id: "web", uid, spec, directory };
  return { told, instance, interfaces: new DomainInterfaces(access) };
}

const network = (plugged: boolean) => ({
  netns: "",
  nics: [{ nic: "eth0", mac, mtu: 1500, addresses: [], port: "zp1", device, plugged }],
});

describe("interfaces of domains in lans", () => {
  it("are given to what runs alone, without carrier where they are in no lan", async () => {
    const { told, instance, interfaces } = made(specOf("kvm", { model: "e1000" }), []);
    await interfaces.connect(instance, handle, network(false), options);
    expect(told).toEqual([
      {
        argv: ["attach-device", uid, join(directory, "interface.xml"), "--live"],
        input: `<interface type='direct'><mac address='${mac}'/><source dev='${device}' mode='passthrough'/><model type='e1000'/><link state='down'/></interface>`,
      },
    ]);
    expect(await readdir(directory)).toEqual([]);
  });

  it("stay as they are when they are there", async () => {
    const { told, instance, interfaces } = made(specOf("kvm"), [{ mac, device }]);
    await interfaces.connect(instance, handle, network(true), options);
    expect(told).toEqual([]);
  });

  it("are not given an address that the domain has already", async () => {
    const { told, instance, interfaces } = made(specOf("kvm"), [{ mac, device: "eth7" }]);
    await expect(interfaces.connect(instance, handle, network(true), options)).rejects.toThrow(/another interface/);
    expect(told).toEqual([]);
  });

  it("are the only ones that are taken away when it is let go of", async () => {
    const domain = { uuid: uid, interfaces: [{ mac: "02:00:00:00:00:02", device: "eth7" }] } as unknown as Domain;
    const { told, instance, interfaces } = made(specOf("kvm"), domain.interfaces);
    await interfaces.letGo(instance, domain, options);
    expect(told).toEqual([]);
  });

  it("have a link of machines' own; that of a container is the kernel's", async () => {
    const machine = made(specOf("kvm"), []);
    await machine.interfaces.setCarrier(machine.instance, handle, { index: 0, up: false }, options);
    expect(machine.told.map(({ argv }) => argv)).toEqual([["domif-setlink", uid, mac, "down"]]);
    const container = made(specOf("lxc"), []);
    await container.interfaces.setCarrier(container.instance, handle, { index: 0, up: false }, options);
    expect(container.told).toEqual([]);
  });

  it.each([
    ["esx://far/", "kvm", {}, /only domains of qemu and lxc on the agent's own host/],
    ["qemu+ssh://root@far/system", "kvm", {}, /only domains of qemu and lxc/],
    ["test:///default", "test", {}, /only domains of qemu and lxc/],
    ["qemu:///system", "kvm", { model: "ne2k'/><x" }, /must be virtio/],
    ["lxc:///system", "lxc", { model: "virtio" }, /is for machines/],
    ["qemu:///system", "kvm", { queues: 4 }, /cannot be set/],
  ])("are refused where they cannot be: %s", (uri, hypervisor, nic, message) => {
    expect(() => checkInterfaces(specOf(hypervisor, nic), uri)).toThrow(message);
  });

  it.each(["qemu:///system", "qemu+unix:///system?socket=/run/x", "lxc:///system"])("can be at %s", (uri) => {
    expect(() => checkInterfaces(specOf("kvm"), uri)).not.toThrow();
  });
});
