import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { SnapshotRig } from "../../integration/snapshots/rig.js";

const files = 100_000;
let rig: SnapshotRig;

beforeAll(async () => {
  rig = await SnapshotRig.start();
}, 60_000);

afterAll(async () => {
  if (rig !== undefined) expect(await rig.close()).toEqual([]);
}, 300_000);

/** MiB that the agent has in memory: "VmRSS" now, "VmHWM" at most since {@link forget}. */
async function agentMib(what: "VmRSS" | "VmHWM"): Promise<number> {
  const text = await readFile(`/proc/${rig.agent.pid}/status`, "utf8");
  return Number(new RegExp(`^${what}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) / 1024;
}

const forget = () => writeFile(`/proc/${rig.agent.pid}/clear_refs`, "5");

/** Makes the built-in root filesystem with so many empty files in it, with names of the length that paths have. */
async function makeArchive(path: string, count: number): Promise<void> {
  const micro = "/var/lib/zor/images/micro/rootfs.tar";
  const script = `set -e; cp "$1" "$2"; mkdir "$2.tree"; cd "$2.tree"
perl -e 'for my $n (0..$ARGV[0] - 1) { my $d = sprintf "many-%04d", $n / 1000; mkdir $d if $n % 1000 == 0;
  open my $f, ">", sprintf("%s/%s-%07d", $d, "n" x 60, $n) or die $! }' "$3"
tar --append --file "$2" .; cd /; rm -r "$2.tree"`;
  await run("sh", ["-c", script, "sh", micro, path, `${count}`], { timeoutMs: 1_200_000 });
}

async function create(id: string, rootfs: string): Promise<void> {
  let operation = await rig.beginCreate(id, Instance.fromJSON({ spec: { crun: { rootfs } } }));
  // Longer than one call waits.
  do operation = await rig.ended(operation);
  while (operation.state === OperationState.OPERATION_STATE_RUNNING);
  expect(operation.error).toBeUndefined();
  expect(operation.state).toBe(OperationState.OPERATION_STATE_SUCCEEDED);
}

describe("the agent's memory", () => {
  it(`does not grow with the ${files} files of an archive, nor with each time it is used`, async () => {
    await makeArchive(join(rig.agent.state, "images", "many.tar"), files);
    // What it takes to make a container at all is none of the archive's.
    await create("first", "micro");
    const before = await agentMib("VmRSS");
    await forget();
    await create("many", "many.tar");
    const most = await agentMib("VmHWM");
    expect(await rig.shell("many", "ls -d /many-* | wc -l")).toBe(`${files / 1000}`);
    for (let round = 0; round < 5; round += 1) {
      await create("again", "many.tar");
      await rig.delete("again");
    }
    const after = await agentMib("VmRSS");
    console.log(`MiB in memory: ${before.toFixed(0)} before, ${most.toFixed(0)} at most, ${after.toFixed(0)} after`);
    expect(most - before).toBeLessThan(150);
    expect(after - before).toBeLessThan(150);
    for (const id of ["first", "many"]) await rig.delete(id);
  }, 1_800_000);
});
