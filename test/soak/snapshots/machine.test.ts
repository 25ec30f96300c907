import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { SnapshotState } from "../../../proto/gen/zor/v1/snapshot.js";
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
const read = (id = "vm1") => rig.shell(id, "echo 3 >/proc/sys/vm/drop_caches; head -c 32 /dev/vda");

describe("snapshots of a machine", () => {
  it("with memory have its processes and disk go on as they were", async () => {
    await write("one");
    await rig.shell("vm1", "echo kept >/tmp/mark; (sleep 1000 & echo $! >/tmp/pid) </dev/null >/dev/null 2>&1");
    await rig.take("vm1", "vm1.one", { memory: true, description: "with one" });
    await write("two");
    await rig.shell("vm1", "rm /tmp/mark; kill $(cat /tmp/pid)");
    await rig.revert("vm1.one");
    await rig.ready("vm1");
    expect(await rig.shell("vm1", "cat /tmp/mark; kill -0 $(cat /tmp/pid) && echo alive")).toBe("kept\nalive");
    expect(await read()).toBe("one");
  }, 60_000);

  it("make a tree, of which any can be gone back to and any deleted", async () => {
    await write("three");
    await rig.take("vm1", "vm1.three");
    await write("four");
    await rig.take("vm1", "vm1.four");
    await rig.revert("vm1.one");
    await rig.ready("vm1");
    await write("five");
    await rig.act("stopInstance", "vm1");
    await rig.take("vm1", "vm1.five");
    expect(await rig.tree()).toEqual([
      "*vm1.one/vm1.five",
      "vm1.one",
      "vm1.one/vm1.three",
      "vm1.one/vm1.three/vm1.four",
    ]);
    await rig.remove("vm1.three");
    expect(await rig.tree()).toEqual(["*vm1.one/vm1.five", "vm1.one", "vm1.one/vm1.four"]);
    await rig.revert("vm1.four");
    await rig.act("startInstance", "vm1");
    await rig.ready("vm1");
    expect(await read()).toBe("four");
    await rig.revert("vm1.five");
    await rig.ready("vm1");
    expect(await read()).toBe("five");
  }, 90_000);

  it("are refused with what is in the way, and leave nothing", async () => {
    await expect(rig.begin("vm1", "vm1.one")).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
    await expect(rig.begin("nobody", "x")).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(rig.begin("", "x")).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    expect((await rig.snapshots()).length).toBe(3);
  });

  it("and images that a kill of the agent cuts short are whole or gone, and the machine runs on", async () => {
    await rig.begin("vm1", "vm1.cut", { memory: true });
    await rig.kill();
    await rig.ready("vm1");
    const cut = (await rig.snapshots()).filter(({ name }) => name.endsWith("cut"));
    for (const { status: found } of cut) expect(found?.state).toBe(SnapshotState.SNAPSHOT_STATE_READY);
    if (cut.length > 0) await rig.remove("vm1.cut");
    await rig.beginSave("vm1", "half", { bytesPerSecond: 1n });
    await rig.kill();
    expect(await readdir(join(rig.agent.state, "images"))).toEqual(["disk.raw"]);
    await rig.take("vm1", "vm1.cut", { memory: true });
    await rig.revert("vm1.cut");
    await rig.ready("vm1");
    expect(await read()).toBe("five");
  }, 60_000);

  it("refuses to change while it is saved, naming the operation; cancelled, nothing is left", async () => {
    const operation = await rig.beginSave("vm1", "slow", { bytesPerSecond: 1n });
    await expect
      .poll(() =>
        // Asked for nothing: it may not have begun yet.
        rig.beginSave("vm1", "other", { validateOnly: true }).then(
          () => "free",
          (error: Error) => error.message,
        ),
      )
      .toContain(operation?.name);
    await expect(rig.act("stopInstance", "vm1")).rejects.toThrow(operation?.name);
    await rig.connection.unary(OperationServiceService.cancelOperation, { name: operation?.name ?? "", requestId: "" });
    expect((await rig.ended(operation)).state).toBe(OperationState.OPERATION_STATE_CANCELLED);
    expect(await readdir(join(rig.agent.state, "images"))).toEqual(["disk.raw"]);
  }, 60_000);

  it("is backed up in full and by increments, which are restored as another one and as the same", async () => {
    await write("seven");
    await rig.backUp("vm1", "vm1.full", true);
    await write("eight");
    await rig.backUp("vm1", "vm1.more", true);
    await write("nine");
    const more = await rig.backup("vm1.more");
    expect(more.status?.chain).toEqual(["vm1.full", "vm1.more"]);
    expect((await rig.backup("vm1.full")).status?.reason).toContain("none that it could build on");
    await rig.restoreBackup("vm1.more", "vm5");
    await rig.ready("vm5");
    expect(await read("vm5")).toBe("eight");
    await rig.delete("vm5");
    await rig.revert("vm1.five");
    await rig.backUp("vm1", "vm1.again", true);
    expect((await rig.backup("vm1.again")).status).toMatchObject({
      chain: ["vm1.again"],
      reason: expect.stringContaining("taken back to a snapshot"),
    });
    await expect(rig.removeBackup("vm1.full")).rejects.toMatchObject({ reason: "BACKUP_IN_USE" });
    await writeFile(join(rig.backups, "zt", "vm1.again", "disk0.qcow2"), "x");
    await expect(rig.restoreBackup("vm1.again", "vm6")).rejects.toThrow(/is not what was written/);
  }, 90_000);

  it("go with their machine, of which backups stay", async () => {
    await rig.delete("vm1");
    await expect.poll(() => rig.snapshots()).toEqual([]);
    // Backups stay, and bring it back.
    await rig.restoreBackup("vm1.full", "");
    await rig.ready("vm1");
    expect(await read()).toBe("seven");
  });
});
