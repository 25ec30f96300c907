import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SnapshotRig } from "../../integration/snapshots/rig.js";

let rig: SnapshotRig;

beforeAll(async () => {
  rig = await SnapshotRig.start();
  await rig.machine("vm1");
}, 90_000);

afterAll(async () => {
  if (rig !== undefined) expect(await rig.close()).toEqual([]);
});

/** Writes 32 bytes to the start of the disk. */
const write = (text: string) => rig.shell("vm1", `printf '%-32s' ${text} | dd of=/dev/vda conv=fsync 2>/dev/null`);
const read = (id: string) => rig.shell(id, "head -c 32 /dev/vda");

describe("a machine", () => {
  it("is saved as an image and cloned while it runs, and the copies hold what it held", async () => {
    await write("five");
    await rig.done(await rig.beginSave("vm1", "saved"));
    await rig.done(await rig.beginSave("vm1", "thin", { overlay: true }));
    await rig.clone("vm1", "vm2");
    await write("six");
    await Promise.all([rig.machine("vm3", "saved.qcow2"), rig.machine("vm4", "thin.qcow2"), rig.ready("vm2")]);
    for (const id of ["vm2", "vm3", "vm4"]) expect(await read(id)).toBe("five");
    const [one, other] = await Promise.all([rig.read("vm1"), rig.read("vm2")]);
    expect(other.uid).not.toBe(one.uid);
    await expect(rig.beginSave("vm1", "saved")).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
    for (const id of ["vm2", "vm3", "vm4"]) await rig.delete(id);
  }, 90_000);
});
