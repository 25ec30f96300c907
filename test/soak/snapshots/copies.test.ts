import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ImageServiceService } from "../../../proto/gen/zor/v1/image_service.js";
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
    await Promise.all([rig.machine("vm3", "saved"), rig.machine("vm4", "thin"), rig.ready("vm2")]);
    for (const id of ["vm2", "vm3", "vm4"]) expect(await read(id)).toBe("five");
    const [one, other] = await Promise.all([rig.read("vm1"), rig.read("vm2")]);
    expect(other.uid).not.toBe(one.uid);
    await expect(rig.beginSave("vm1", "saved")).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
    const image = (id: string) => ({ name: `hosts/zt/images/${id}` });
    const remove = (id: string) =>
      rig.connection.unary(ImageServiceService.deleteImage, { ...image(id), requestId: "", validateOnly: false });
    await expect(remove("saved")).rejects.toMatchObject({ message: expect.stringContaining("instances/vm3") });
    await rig.done(await rig.beginSave("vm3", "above", { overlay: true }));
    for (const id of ["vm2", "vm3", "vm4"]) await rig.delete(id);
    // It is still needed by the image that is only the difference to it, also after another start of the agent.
    await rig.kill();
    const above = (await rig.connection.unary(ImageServiceService.getImage, image("above"))).image;
    expect(above?.status).toMatchObject({ base: "hosts/zt/images/saved", format: "qcow2" });
    expect(above?.status?.origin).toBe("saved from hosts/zt/instances/vm3");
    await expect(remove("saved")).rejects.toMatchObject({ message: expect.stringContaining("images/above") });
    const prune = { parent: "hosts/zt", requestId: "", validateOnly: true };
    const { names } = await rig.connection.unary(ImageServiceService.pruneImages, prune);
    expect(names.toSorted()).toEqual(["above", "saved", "thin"].map((id) => image(id).name));
    await rig.machine("vm5", "above");
    expect(await read("vm5")).toBe("five");
    await rig.delete("vm5");
    for (const id of ["above", "saved", "thin"]) await remove(id);
  }, 90_000);
});
