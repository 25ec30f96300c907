import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ChangesDevices, MediumChange } from "../../../../../agent/drivers/abilities/devices.js";
import type { InstanceManager } from "../../../../../agent/kinds/instance/manager.js";
import { failedPrecondition } from "../../../../../lib/errors.js";
import { parseId } from "../../../../../lib/names.js";
import { InstanceSpec } from "../../../../../proto/gen/zor/v1/instance.js";
import { QemuOptions } from "../../../../../proto/gen/zor/v1/qemu.js";
import { FakeDriver } from "../../../../fakes/driver.js";
import { InstanceWorld } from "./instance-world.js";

const { signal } = new AbortController();
const options = { signal, caller: "zor://user/ana", validateOnly: false };

/** A driver of machines whose drives take everything but what is locked. */
class Drives {
  readonly media: MediumChange[] = [];
  locked = false;
  readonly driver = new FakeDriver({ kind: "qemu", options: { case: "qemu" }, network: "tap" });

  constructor() {
    const devices: Pick<ChangesDevices, "checkMedium" | "changeMedium"> = {
      checkMedium: async () => undefined,
      changeMedium: async ({ name }, change) => {
        if (this.locked && !change.force) throw failedPrecondition("TRAY_LOCKED", name, "locked");
        this.media.push(change);
      },
    };
    Object.assign(this.driver.can, { devices });
  }
}

describe("the medium of a drive", () => {
  let world: InstanceWorld;
  let manager: InstanceManager;
  let driver: Drives;

  beforeEach(async () => {
    world = await InstanceWorld.create();
    driver = new Drives();
    world.drivers = [driver.driver];
    manager = await world.agent();
    const cdroms = [{ name: "cdrom0", image: "one.iso" }, { name: "cdrom1" }];
    const spec = {
      ...InstanceSpec.fromPartial({}),
      driver: { $case: "qemu" as const, value: QemuOptions.fromPartial({ kernel: "micro", cdroms }) },
    };
    const wanted = { id: parseId("id", "vm1"), labels: {}, annotations: {}, spec };
    const creation = await manager.create(wanted, { ...options, leaveStopped: true });
    await creation.run({ signal, progress: () => undefined });
  });
  afterEach(() => world.destroy());

  const change = (drive: string, image: string, more = {}) =>
    manager.changeMedium("vm1", { ...options, drive, image, force: false, ...more });
  const images = (of: InstanceManager) => {
    const { spec } = of.get("vm1");
    return spec?.driver?.$case === "qemu" ? spec.driver.value.cdroms.map(({ image }) => image) : [];
  };

  it("is kept in the specification of a machine that does not run, over a restart of the agent", async () => {
    await change("cdrom1", "two.iso");
    expect(driver.media).toEqual([]);
    expect(images(await world.agent())).toEqual(["one.iso", "two.iso"]);
  });

  it("is changed at what runs, and told of", async () => {
    await manager.act("start", "vm1", options);
    await change("cdrom0", "");
    expect(driver.media).toEqual([{ drive: "cdrom0", image: "", force: false }]);
    expect(images(manager)).toEqual(["", ""]);
    expect(world.events.at(-1)).toMatchObject({ type: "instance.medium-changed", message: "cdrom0: nothing" });
  });

  it("stays when the guest has locked the tray, unless it is forced", async () => {
    await manager.act("start", "vm1", options);
    driver.locked = true;
    await expect(change("cdrom0", "two.iso")).rejects.toMatchObject({ reason: "TRAY_LOCKED" });
    expect(images(manager)).toEqual(["one.iso", ""]);
    await change("cdrom0", "two.iso", { force: true });
    expect(images(manager)).toEqual(["two.iso", ""]);
  });

  it("is changed back when the disk of the host is full", async () => {
    await manager.act("start", "vm1", options);
    world.diskFailure = new Error("ENOSPC");
    await expect(change("cdrom0", "two.iso")).rejects.toThrow();
    expect(driver.media.map(({ image }) => image)).toEqual(["two.iso", "one.iso"]);
    expect(images(manager)).toEqual(["one.iso", ""]);
  });

  it("is only checked when that is asked, and needs a drive that is there", async () => {
    await change("cdrom0", "two.iso", { validateOnly: true });
    expect(images(manager)).toEqual(["one.iso", ""]);
    await expect(change("", "two.iso")).rejects.toThrow(/say which of cdrom0, cdrom1/);
    await expect(change("cdrom9", "two.iso")).rejects.toMatchObject({ code: status.NOT_FOUND });
  });
});
