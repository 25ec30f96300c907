import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GuestAgent } from "../../../agent/drivers/qemu/guest-agent.js";
import { socketNames } from "../../../agent/drivers/qemu/ids.js";
import { runDirectoryOf } from "../../../agent/drivers/qemu/run-directory.js";
import { run } from "../../../agent/host/exec.js";
import { connectUnix } from "../../../agent/host/unix-socket.js";
import { ScheduleAction } from "../../../proto/gen/zor/v1/schedule.js";
import { eventually } from "../../helpers/eventually.js";
import { SnapshotRig } from "../../integration/snapshots/rig.js";

let rig: SnapshotRig;

beforeAll(async () => {
  rig = await SnapshotRig.start();
  // One with a journal: what is in use asks for its journal to be read, what holds still does not.
  const image = join(rig.agent.state, "images", "data.raw");
  await run("truncate", ["--size", "32M", image]);
  await run("mke2fs", ["-q", "-t", "ext4", image]);
  await rig.machine("vm1", "data.raw");
  await rig.shell("vm1", "mkdir /mnt; mount -t ext4 /dev/vda /mnt && echo one >/mnt/word && sync");
  expect(await rig.shell("vm1", "cat /mnt/word")).toBe("one");
  expect(await wantsRecovery("vm1")).toBe(true);
}, 120_000);

afterAll(async () => {
  if (rig !== undefined) expect(await rig.close()).toEqual([]);
});

/** Whether the file system on a machine's disk asks for its journal to be read: nobody has mounted it there. */
async function wantsRecovery(id: string): Promise<boolean> {
  // s_feature_incompat of the superblock (docs.kernel.org/filesystems/ext4/super.html), of which 4 is EXT4_FEATURE_INCOMPAT_RECOVER.
  const byte = await rig.shell(id, "dd if=/dev/vda bs=1 skip=$((1024 + 96)) count=1 2>/dev/null | od -An -tu1");
  return (Number(byte.trim()) & 4) !== 0;
}

const goesOn = async () =>
  expect(await rig.shell("vm1", "timeout 5 sh -c 'echo more >>/mnt/after && sync' && echo it does")).toBe("it does");

describe("the file systems of a guest", () => {
  it("hold still for a backup and a snapshot, which need no repair then, and go on", { timeout: 300_000 }, async () => {
    await rig.shell("vm1", "echo two >/mnt/word");
    await rig.backUp("vm1", "whole", false);
    expect((await rig.backup("whole")).status).toMatchObject({ consistent: true });
    await goesOn();
    await rig.restoreBackup("whole", "copy");
    await rig.ready("copy");
    expect(await wantsRecovery("copy")).toBe(false);
    await rig.delete("copy");
    await rig.take("vm1", "still");
    expect((await rig.snapshots()).find(({ name }) => name.endsWith("/still"))?.status).toMatchObject({
      consistent: true,
    });
    await goesOn();
    await rig.removeBackup("whole");
    await rig.remove("still");
  });

  it("are thawed by the next agent when one is killed while they hold still", { timeout: 120_000 }, async () => {
    const directory = join(rig.agent.state, "instances", "vm1", "driver");
    await rig.kill(async () => {
      // As an agent leaves it that is killed between freezing and thawing.
      const signal = AbortSignal.timeout(30_000);
      const socket = await connectUnix(runDirectoryOf({ directory }), socketNames.guestAgent, { signal });
      const agent = await GuestAgent.open(socket, { resource: "vm1", timeoutMs: 10_000 });
      await writeFile(join(directory, "frozen"), "");
      expect(await agent.execute("guest-fsfreeze-freeze", {}, 30_000)).toBe(1);
      expect(await agent.execute("guest-fsfreeze-status", {}, 10_000)).toBe("frozen");
      agent.close();
    });
    await rig.ready("vm1");
    await eventually(goesOn, 30_000);
  });

  it("hold still for what a schedule takes, of which no more are kept than it says", { timeout: 600_000 }, async () => {
    const { SCHEDULE_ACTION_BACKUP: backup, SCHEDULE_ACTION_SNAPSHOT: snapshot } = ScheduleAction;
    await rig.backUp("vm1", "mine", false);
    await rig.schedule(
      "vm1",
      { name: "minutely", action: backup, everySeconds: 60n, keep: 1, incremental: true, fullEvery: 2 },
      { name: "often", action: snapshot, everySeconds: 60n, keep: 1 },
    );
    const taken = async (name: string) =>
      (await rig.read("vm1")).status?.schedules.find((each) => each.name === name)?.lastTaken ?? "";
    const seen = { minutely: new Set<string>(), often: new Set<string>() };
    await eventually(async () => {
      for (const [name, names] of Object.entries(seen)) {
        const last = await taken(name);
        if (last !== "") names.add(last);
        expect(names.size).toBeGreaterThanOrEqual(3);
      }
    }, 400_000);
    const [last = ""] = [...seen.minutely].slice(-1);
    expect((await rig.backup(last.split("/").at(-1) ?? "")).status).toMatchObject({ consistent: true });
    await eventually(async () => {
      const often = (await rig.snapshots()).filter(({ spec }) => spec?.schedule === "often");
      expect(often.map(({ status }) => status?.consistent)).toEqual([true]);
    });
    // An incremental one keeps what it builds on.
    await eventually(async () => expect((await rig.backupIds()).length).toBeLessThanOrEqual(3));
    expect(await rig.backupIds()).toContain("mine");
    expect((await rig.read("vm1")).status?.schedules.map(({ lastError }) => lastError)).toEqual(["", ""]);
    await goesOn();
    await rig.schedule("vm1");
  });

  it("are told not to have held still where the guest has no agent", { timeout: 120_000 }, async () => {
    await rig.shell("vm1", "(sleep 1; kill -KILL $(pidof qemu-ga)) >/dev/null 2>&1 & true");
    await eventually(async () => expect((await rig.read("vm1")).status?.execReady).toBe(false));
    await rig.take("vm1", "moving");
    const moving = (await rig.snapshots()).find(({ name }) => name.endsWith("/moving"));
    expect(moving?.status).toMatchObject({ consistent: false });
  });
});
