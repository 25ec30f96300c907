import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findRunningDisk, mirrorDisk } from "../../../agent/drivers/qemu/blocks/move-volume.js";
import { CopiesRig, mib, nodesOf, resource, signal } from "../../helpers/copies-rig.js";

let rig: CopiesRig;
beforeEach(async () => {
  rig = await CopiesRig.make();
});
afterEach(() => rig[Symbol.asyncDispose]());

it("has a machine go on with the copy once that was written down, and forget what it had", async () => {
  const content = randomBytes(8 * mib);
  const machine = await rig.machineWith(await rig.fileOf("a", "raw", content));
  const target = await rig.fileOf("b", "raw");
  const seen: string[] = [];
  const commit = async (node: string): Promise<void> => {
    // Both are alike in this instant, and the machine has still the first.
    expect((await readFile(join(rig.root, "b"))).equals(content)).toBe(true);
    expect((await findRunningDisk(machine, "disk0"))?.node).toBe("disk0");
    seen.push(node);
  };
  const move = { id: "disk0", target, discard: true, more: {}, bytesPerSecond: 0, commit };
  await mirrorDisk(machine, move, { resource, signal });
  expect(await findRunningDisk(machine, "disk0")).toEqual({ node: seen[0], sizeBytes: BigInt(8 * mib) });
  expect(await nodesOf(machine)).toEqual(seen);
  expect(await machine.execute("query-jobs")).toEqual([]);
});
