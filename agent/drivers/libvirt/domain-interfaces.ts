import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pause } from "../../../lib/backoff.js";
import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { InstanceSpec, Nic } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceNetwork, NicPort } from "../../network/instance-networks.js";
import { toHostDeviceName } from "../../network/names.js";
import type { SpecChange } from "../abilities/changeable.js";
import type { CallOptions, Carrier, DriverInstance, RecoveryHandle, Wiring } from "../driver.js";
import type { Domain } from "./domain.js";
import type { DomainAccess } from "./domain-access.js";

/** Most interfaces of an instance. */
const maxNics = 32;
/** How long a guest may take to let go of an interface. */
const unplugMs = 10_000;
const lookMs = 200;
/** Models that every libvirt gives machines. */
const models = ["virtio", "e1000", "e1000e", "rtl8139", "vmxnet3", "igb"];

/**
 * Interfaces of running domains in lans: each is on the host's end of a veth pair, through a macvtap or macvlan of libvirt's that
 * passes all on. They are in what runs, never in the domain's definition: each start gives them anew. libvirt takes none away from
 * a container that runs: there they go with their devices.
 */
export class DomainInterfaces implements Wiring, Carrier {
  readonly #access: DomainAccess;

  constructor(access: DomainAccess) {
    this.#access = access;
  }

  async connect(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    { nics }: InstanceNetwork,
    options: CallOptions,
  ): Promise<void> {
    if (nics.length === 0) return;
    const { domain } = await this.#access.find(instance, options.signal);
    for (const port of nics) await this.#attach(instance, domain, port, options);
  }

  async setCarrier(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    { index, up }: { readonly index: number; readonly up: boolean },
    options: CallOptions,
  ): Promise<void> {
    const nic = instance.spec.nics[index];
    // A container's follows that of the device below it, which is the kernel's work.
    if (nic === undefined || isContainer(instance.spec)) return;
    const argv = ["domif-setlink", instance.uid, nic.mac, up ? "up" : "down"];
    await this.#access.ask(instance, `set the link of ${nic.name}`, argv, options);
  }

  /** Adds and takes away what a change does; resolves to what takes that back. */
  async change(
    instance: DriverInstance,
    { before, after, network }: SpecChange,
    options: CallOptions,
  ): Promise<() => Promise<void>> {
    const added = portsOf(without(after.nics, before.nics), network);
    const gone = without(before.nics, after.nics);
    const back = portsOf(gone, network);
    await using undo = new AsyncDisposableStack();
    if (added.length + gone.length > 0) {
      const { domain } = await this.#access.find(instance, options.signal);
      for (const port of added) {
        if (isContainer(instance.spec)) assertNotStale(instance, domain, port);
        undo.defer(() => this.#detachAll(instance, [port.device ?? ""], { signal: uninterrupted }));
        await this.#attach(instance, domain, port, options);
      }
    }
    if (gone.length > 0) {
      undo.defer(async () => {
        const { domain } = await this.#access.find(instance, uninterrupted);
        for (const port of back) await this.#attach(instance, domain, port, { signal: uninterrupted });
      });
      const devices = gone.map(({ name }) => deviceOf(instance, before.nics, name));
      await this.#detachAll(instance, devices, options);
    }
    const owned = undo.move();
    return async () => await owned.disposeAsync();
  }

  /** Takes all away that this agent has given a domain; what its guest holds on to stays, without carrier, until it restarts. */
  async letGo(instance: DriverInstance, domain: Domain, options: CallOptions): Promise<void> {
    if (isContainer(instance.spec)) return;
    const ours = Array.from({ length: maxNics }, (_, index) => toHostDeviceName(instance.uid, index));
    const devices = ours.filter((device) => domain.interfaces.some((each) => each.device === device));
    for (const device of devices) await this.#detach(instance, domain, device, options).catch(() => false);
  }

  /** Idempotent. */
  async #attach(instance: DriverInstance, domain: Domain, port: NicPort, options: CallOptions): Promise<void> {
    const { device = "", mac, nic } = port;
    if (domain.interfaces.some((each) => each.device === device)) return;
    if (domain.interfaces.some((each) => each.mac === mac)) {
      const message = `the domain has another interface with the address ${mac} of ${nic}; give ${nic} another one`;
      throw failedPrecondition("ADDRESS_TAKEN", `${instance.name}/nics/${nic}`, message);
    }
    const model = instance.spec.nics.find(({ name }) => name === nic)?.model;
    const description = describe(port, isContainer(instance.spec) ? undefined : model || "virtio");
    await this.#tell(instance, `add the interface ${nic}`, { verb: "attach-device", description }, options);
  }

  async #detachAll(instance: DriverInstance, devices: readonly string[], options: CallOptions): Promise<void> {
    if (isContainer(instance.spec)) return;
    const { domain } = await this.#access.find(instance, options.signal);
    for (const device of devices) {
      if (await this.#detach(instance, domain, device, options)) continue;
      const message = `the guest has not let go of the interface within ${unplugMs / 1000} s; take it down in the guest, or stop the domain first`;
      throw failedPrecondition("DEVICE_IN_USE", instance.name, message);
    }
  }

  /** virsh reads descriptions from files alone: what a program writes to it is a socket, which has no path. */
  async #tell(
    instance: DriverInstance,
    doing: string,
    { verb, description }: { readonly verb: string; readonly description: string },
    options: CallOptions,
  ): Promise<void> {
    const path = join(instance.directory, "interface.xml");
    await writeFile(path, description, { mode: 0o600 });
    try {
      await this.#access.ask(instance, doing, [verb, instance.uid, path, "--live"], options);
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Idempotent; false: the guest has not let go of it. */
  async #detach(instance: DriverInstance, domain: Domain, device: string, options: CallOptions): Promise<boolean> {
    const found = domain.interfaces.find((each) => each.device === device);
    if (found === undefined) return true;
    const description = describe({ device, mac: found.mac }, undefined);
    await this.#tell(instance, "take the interface away", { verb: "detach-device", description }, options);
    const deadline = performance.now() + unplugMs;
    // libvirt tells of devices that are gone, but not whose they were: it is asked, for as long as somebody waits.
    for (;;) {
      const now = await this.#access.find(instance, options.signal);
      if (!now.domain.interfaces.some((each) => each.device === device)) return true;
      if (performance.now() > deadline) return false;
      await pause(lookMs, options.signal);
    }
  }
}

/** What is said of interfaces. @throws {ZorError} INVALID_ARGUMENT for what libvirt cannot do */
export function checkInterfaces({ nics, driver }: InstanceSpec, uri: string): void {
  if (nics.length === 0) return;
  const field = "instance.spec.nics";
  if (!/^(?:qemu|lxc)(?:\+unix)?:\/\/\//.test(uri)) {
    const description = `must be empty: only domains of qemu and lxc on the agent's own host can be plugged into lans, and this one is of ${uri}`;
    throw invalidFields([{ field, description }]);
  }
  const isLxc = driver?.$case === "libvirt" && driver.value.hypervisor === "lxc";
  const violations = nics.flatMap(({ model, queues }, index) => [
    ...(model === "" || (!isLxc && models.includes(model))
      ? []
      : [
          {
            field: `${field}[${index}].model`,
            description: isLxc ? "is for machines" : `must be ${models.join(", ")}`,
          },
        ]),
    ...(queues === 0
      ? []
      : [{ field: `${field}[${index}].queues`, description: "cannot be set for domains of libvirt" }]),
  ]);
  if (violations.length > 0) throw invalidFields(violations);
}

/** Names and addresses are the agent's own words: none needs to be escaped. */
function describe(
  { device = "", mac, plugged = true }: Pick<NicPort, "device" | "mac" | "plugged">,
  model: string | undefined,
): string {
  const link = plugged || model === undefined ? "" : "<link state='down'/>";
  const kind = model === undefined ? "" : `<model type='${model}'/>`;
  return `<interface type='direct'><mac address='${mac}'/><source dev='${device}' mode='passthrough'/>${kind}${link}</interface>`;
}

/** libvirt goes on naming what a container had: nothing new is put under that name. */
function assertNotStale({ name }: DriverInstance, { interfaces }: Domain, { device, nic }: NicPort): void {
  if (!interfaces.some((each) => each.device === device)) return;
  const message = `the container has had an interface in the place of ${nic}, which libvirt cannot give again while it runs; stop it first`;
  throw failedPrecondition("NEEDS_RESTART", `${name}/nics/${nic}`, message);
}

/** Whether it is a container of libvirt's. */
export function isContainer({ driver }: InstanceSpec): boolean {
  return driver?.$case === "libvirt" && driver.value.hypervisor === "lxc";
}

function deviceOf({ uid }: DriverInstance, nics: readonly Nic[], name: string): string {
  return toHostDeviceName(
    uid,
    nics.findIndex((nic) => nic.name === name),
  );
}

function portsOf(nics: readonly Nic[], network: InstanceNetwork | undefined): readonly NicPort[] {
  return network?.nics.filter(({ nic }) => nics.some(({ name }) => name === nic)) ?? [];
}

function without(nics: readonly Nic[], others: readonly Nic[]): readonly Nic[] {
  return nics.filter(({ name }) => !others.some((other) => other.name === name));
}
