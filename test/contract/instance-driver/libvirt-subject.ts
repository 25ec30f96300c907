import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pino from "pino";
import type { Abilities } from "../../../agent/drivers/driver.js";
import { followDomainEvents } from "../../../agent/drivers/libvirt/event-stream.js";
import { LibvirtDriver } from "../../../agent/drivers/libvirt/libvirt-driver.js";
import { run } from "../../../agent/host/exec.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { TestLibvirt } from "../../helpers/libvirtd.js";
import type { Subject } from "./subject.js";

type Hypervisor = "test" | "qemu" | "lxc";

const micro = "/var/lib/zor/images/micro";
const silent = pino({ level: "silent" });
/** What they cannot, or not without a person at the domain's console. */
const lacks: Readonly<Record<Hypervisor, readonly (keyof Abilities)[]>> = {
  test: ["console", "reset"],
  qemu: ["console"],
  lxc: ["console", "reset"],
};

/**
 * A domain that somebody else has defined, as the driver takes it over. Interfaces and consoles of domains: test/soak/libvirt.
 * @param options.signal ends the connection that is kept open: the hypervisor for tests forgets all with its last one.
 */
export async function libvirtSubject(
  libvirt: TestLibvirt,
  { hypervisor, signal }: { readonly hypervisor: Hypervisor; readonly signal: AbortSignal },
): Promise<Subject> {
  const uri = libvirt.uri(hypervisor, hypervisor === "test" ? "default" : "system");
  const [uuid, hostUid, domain] = [randomUUID(), randomUUID(), `zt-contract-${hypervisor}`];
  const root = join(libvirt.root, "contract-root");
  const own = {
    test: "<os><type>hvm</type></os>",
    qemu: `<os><type arch='x86_64' machine='pc'>hvm</type><kernel>${micro}/vmlinuz</kernel><initrd>${micro}/initrd.img</initrd>
      <cmdline>console=ttyS0</cmdline></os><features><acpi/></features><devices><console type='pty'/></devices>`,
    lxc: `<os><type>exe</type><init>/bin/sh</init><initarg>-c</initarg><initarg>trap 'exit 0' TERM; while :; do sleep 0.1; done</initarg></os>
      <devices><filesystem type='mount'><source dir='${root}'/><target dir='/'/></filesystem><console type='pty'/></devices>`,
  }[hypervisor];
  if (hypervisor === "lxc") {
    await mkdir(root, { recursive: true });
    await run("tar", ["-C", root, "-xf", `${micro}/rootfs.tar`]);
  }
  await new Promise<void>((onOpen, reject) => {
    followDomainEvents(uri, { onOpen, onEvent: () => undefined }, signal).then((why) => reject(new Error(why)), reject);
  });
  const file = join(libvirt.root, `${domain}.xml`);
  const words = `<name>${domain}</name><uuid>${uuid}</uuid><memory unit='MiB'>128</memory><vcpu>1</vcpu>`;
  await writeFile(file, `<domain type='${hypervisor}'>${words}${own}</domain>`);
  await libvirt.virsh(uri, "define", file);
  const value = { uri, uuid, domain, hypervisor, title: "", adopted: true };
  return {
    kind: "libvirt",
    uid: uuid,
    missing: undefined,
    lacks: lacks[hypervisor],
    hasGuests: false,
    hasProcesses: false,
    createDriver: () => new LibvirtDriver({ uris: [uri], hostUid, log: silent }),
    toSpec: () => InstanceSpec.fromPartial({ cpus: 1, memoryMib: 128n, driver: { $case: "libvirt", value } }),
    withImage: (spec) => spec,
    imageField: undefined,
    isAlive: async () => /^(?:running|paused|in shutdown)$/.test(await libvirt.virsh(uri, "domstate", uuid)),
    kill: () => {
      throw new Error("what libvirt runs is not killed from here");
    },
  };
}
