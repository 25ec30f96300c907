import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { run } from "../../../agent/host/exec.js";
import { nicModels } from "../../../agent/drivers/qemu/hardware/nic-device.js";
import { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { eventually } from "../../helpers/eventually.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";
import { makeDebianGuest } from "./debian-guest.js";

const modules = ["vmxnet3", "e1000", "e1000e", "igb", "8139cp", "pcnet32", "e100"];
const guest = { kernel: "vmlinuz", initrd: "initrd", disks: [{ sizeMib: 256n, persistent: true }] };
const size = { memoryMib: 256n };
/** QEMU's i8255x have no carrier to lose: what is not plugged in only passes nothing. */
const withoutCarrier = /^i82/;
/** QEMU 7.2 interrupts Linux for the first change alone: it has the carrier that there is when it opens the interface. */
const toldOnce = "e1000e";
/** Linux drives it with firmware alone that Debian's kernel comes without. */
const withoutDriver = "i82551";

let root: string;
let fixture: MachineFixture;
/** What this QEMU has, and has carrier. */
let models: readonly string[];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-"));
  fixture = await makeMachineFixture();
  await makeDebianGuest(root, fixture.imageDirectory, modules);
  const { stdout } = await run("qemu-system-x86_64", ["-device", "help"]);
  const has = (model: string) => model === "virtio" || stdout.includes(`name "${model}"`);
  models = nicModels.filter((model) => has(model) && model !== withoutDriver);
}, 240_000);

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

const toNic = (model: string, index: number, plugged: boolean) =>
  Nic.fromPartial({
    ...{ name: `eth${index}`, mac: `02:00:00:00:08:${index.toString(16).padStart(2, "0")}`, model },
    lan: plugged ? "lan1" : "",
  });

/** Carrier of each interface, as the guest has it: "model 1". */
async function carriers(instance: DriverInstance, handle: RecoveryHandle): Promise<readonly string[]> {
  const { nics } = instance.spec;
  const script =
    `for n in ${nics.map(({ name }) => name).join(" ")}; do ` +
    "ip link set $n up 2>/dev/null; cat /sys/class/net/$n/carrier 2>/dev/null || echo none; done";
  const said = (await fixture.shell(instance, handle, script)).trim().split("\n");
  return nics.map(({ model }, index) => `${model} ${said[index]}`);
}

/** The same as the plugs say. */
function plugged({ nics }: DriverInstance["spec"]): readonly string[] {
  return nics.map(({ model, lan }) => `${model} ${lan === "" && !withoutCarrier.test(model) ? 0 : 1}`);
}

/** Plugs each interface in or out, and resolves to the instance as it is then. */
async function turn(
  instance: DriverInstance,
  handle: RecoveryHandle,
  isUp: (index: number) => boolean,
): Promise<DriverInstance> {
  const nics = instance.spec.nics.map((nic, index) => ({ ...nic, lan: isUp(index) ? "lan1" : "" }));
  for (const index of nics.keys()) {
    await fixture.driver.setCarrier(instance, handle, { index, up: isUp(index) }, callOptions);
  }
  return { ...instance, spec: { ...instance.spec, nics } };
}

/** Waits until the guest has every carrier as the plugs say. */
async function show(instance: DriverInstance, handle: RecoveryHandle): Promise<void> {
  const deaf = instance.spec.nics.filter(({ model }) => model === toldOnce).map(({ name }) => name);
  if (deaf.length > 0) {
    await fixture.shell(
      instance,
      handle,
      `for n in ${deaf.join(" ")}; do ip link set $n down; ip link set $n up; done`,
    );
  }
  await eventually(async () => expect(await carriers(instance, handle)).toEqual(plugged(instance.spec)), 30_000);
}

/** Resolves when the guest's agent answers after the guest began anew. */
const booted = (instance: DriverInstance, handle: RecoveryHandle) =>
  eventually(async () => {
    const up = await fixture.shell(instance, handle, "cut -d. -f1 /proc/uptime; ls /run/before 2>/dev/null || true");
    expect(up).not.toContain("before");
  }, 90_000);

it("shows the carrier of every model as it is plugged in: at first, changed, and after the guest and the agent began anew", {
  timeout: 600_000,
}, async () => {
  const nics = models.map((model, index) => toNic(model, index, index % 2 === 0));
  const begun = await fixture.create(guest, nics, size);
  const handle = await fixture.start(begun);
  await show(begun, handle);

  const other = await turn(begun, handle, (index) => index % 2 === 1);
  await show(other, handle);
  const none = await turn(other, handle, () => false);
  await show(none, handle);
  const mixed = await turn(none, handle, (index) => index % 3 === 0);
  await show(mixed, handle);

  await fixture.shell(mixed, handle, "touch /run/before");
  await fixture.driver.reset(mixed, handle, await fixture.networkOf(mixed), callOptions);
  await booted(mixed, handle);
  await show(mixed, handle);

  const next = await fixture.nextDriver();
  expect(await next.recover(mixed, handle, callOptions)).toMatchObject({ pid: handle.pid });
  await show(mixed, handle);
  const all = await turn(mixed, handle, () => true);
  await show(all, handle);
  await next.stop(all, handle, callOptions);
});

it("shows it as it is plugged in now after going back to a snapshot and going on from disk", {
  timeout: 600_000,
}, async () => {
  const kinds = ["virtio", "e1000", "e1000e", "rtl8139", "vmxnet3", "pcnet"].filter((each) => models.includes(each));
  const nics = kinds.map((model, index) => toNic(model, index, index % 2 === 0));
  const begun = await fixture.create(guest, nics, size);
  let handle = await fixture.start(begun);
  await show(begun, handle);
  const { driver } = fixture;
  const { snapshot, suspend } = driver.can;
  if (snapshot === undefined || suspend === undefined) throw new Error("machines cannot be kept");
  const wanted = { tag: "before", memory: true };
  const { extra } = await snapshot.takeSnapshot(begun, handle, wanted, callOptions);
  const turned = await turn(begun, handle, (index) => index % 2 === 1);
  await show(turned, handle);
  await snapshot.revertTo(turned, handle, { ...wanted, extra }, callOptions);
  await show(turned, handle);

  await suspend.suspend(turned, handle, callOptions);
  await driver.stop(turned, handle, callOptions);
  // Plugged otherwise while it was on disk.
  const moved: DriverInstance = { ...turned, spec: { ...turned.spec, nics: begun.spec.nics } };
  handle = await suspend.resumeSuspended(moved, await fixture.networkOf(moved), callOptions);
  await show(moved, handle);
  await driver.stop(moved, handle, callOptions);
});

it("shows it of interfaces that are added while the guest runs", { timeout: 600_000 }, async () => {
  const { driver } = fixture;
  const { devices } = driver.can;
  if (devices === undefined) throw new Error("machines take no devices");
  let instance = await fixture.create({ ...guest, hotplugPorts: 8 }, [toNic("virtio", 0, true)], size);
  const handle = await fixture.start(instance);
  for (const [at, model] of ["e1000e", "vmxnet3", "virtio"].entries()) {
    const index = at + 1;
    const spec = devices.placeLive({
      ...instance.spec,
      nics: [...instance.spec.nics, toNic(model, index, index % 2 === 0)],
    });
    instance = { ...instance, spec };
    const network = await fixture.networkOf(instance);
    const plugs = network.nics.map((nic, each) => ({ ...nic, plugged: spec.nics[each]?.lan !== "" }));
    await devices.plugNic(instance, { index, network: { ...network, nics: plugs } }, callOptions);
  }
  await fixture.shell(
    instance,
    handle,
    "for d in /sys/class/net/*; do a=$(cat $d/address); case $a in 02:00:00:00:08:0[1-3]) " +
      "ip link set $(basename $d) name eth$(echo $a | cut -c 17) 2>/dev/null;; esac; done; true",
  );
  await show(instance, handle);
  const turned = await turn(instance, handle, (index) => index % 2 === 1);
  await show(turned, handle);
  await driver.stop(turned, handle, callOptions);
});
