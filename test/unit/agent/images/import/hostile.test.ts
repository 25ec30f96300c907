import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkForeignHeader } from "../../../../../agent/images/import/foreign-header.js";
import { listOva } from "../../../../../agent/images/import/ova.js";

function tarHeader(name: string, type: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("00000000000", 124);
  header.write(type, 156);
  return header;
}

it("reads no OVA that is nothing but headers to its end", async () => {
  const directory = await mkdtemp(join(tmpdir(), "zt-ova-"));
  try {
    const path = join(directory, "a.ova");
    const directories = Array.from({ length: 1000 }, () => tarHeader("d/", "5"));
    await writeFile(path, Buffer.concat([tarHeader("a.ovf", "0"), ...directories]));
    await using file = await open(path, "r");
    await expect(listOva(file)).rejects.toThrow("more than 64 files");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

/** A VMDK whose header tells of one sector of descriptor. */
function vmdk(behind: string): Buffer {
  const start = Buffer.alloc(64 * 1024);
  start.write("KDMV", 0);
  start.writeUInt32LE(1, 4);
  start.writeBigUInt64LE(2048n, 12);
  start.writeBigUInt64LE(1n, 28);
  start.writeBigUInt64LE(1n, 36);
  const descriptor = 'parentCID=ffffffff\ncreateType="monolithicSparse"\nRW 2048 SPARSE "a.vmdk"\n';
  start.write(descriptor.padEnd(512, "#"), 512);
  start.write(behind, 1024);
  return start;
}

it("refuses a VMDK that names another one where only QEMU looks", () => {
  expect(checkForeignHeader("vmdk", vmdk(""))).toBeUndefined();
  const why = checkForeignHeader("vmdk", vmdk('\nparentFileNameHint="/etc/hostname"\n'));
  expect(why).toContain("only the difference to another one");
});
