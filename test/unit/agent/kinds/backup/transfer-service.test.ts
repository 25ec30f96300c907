import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Backups } from "../../../../../agent/kinds/backup/backups.js";
import { transferService } from "../../../../../agent/kinds/backup/transfer-service.js";
import { ReceiveBackupRequest } from "../../../../../proto/gen/zor/agent/v1/backup_transfer_service.js";
import { Backup } from "../../../../../proto/gen/zor/v1/backup.js";

const digestOf = (data: Buffer): Buffer => createHash("sha256").update(data).digest();

/** The header of a qcow2 disk, which may stand over another. */
function disk(backing = ""): Buffer {
  const start = Buffer.alloc(1024);
  start.writeUInt32BE(0x514649fb, 0);
  start.writeUInt32BE(2, 4);
  start.writeBigUInt64BE(backing === "" ? 0n : 512n, 8);
  start.writeUInt32BE(backing.length, 16);
  start.writeUInt32BE(16, 20);
  start.writeBigUInt64BE(1024n * 1024n, 24);
  start.write(backing, 512);
  return start;
}

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-backup-transfer-"));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const context = (signal = new AbortController().signal) =>
  ({ signal }) as unknown as Parameters<ReturnType<typeof transferService>["receiveBackup"]>[1];

describe("a backup of another host", () => {
  interface Told {
    readonly files?: readonly { readonly name: string; readonly sizeBytes: bigint; readonly sha256: Buffer }[];
    readonly data?: readonly Buffer[];
    readonly base?: string;
    readonly reason?: string;
    readonly instanceJson?: string;
    /** When what is written is to end. */
    readonly signal?: AbortSignal;
  }

  const file = (data: Buffer, name = "disk0.qcow2") => ({
    name,
    sizeBytes: BigInt(data.length),
    sha256: digestOf(data),
  });

  async function receive(told: Told) {
    const { files = [file(disk())], data = [disk()], base = "", reason = "", instanceJson = "{}", signal } = told;
    const name = "hosts/h2/backups/vm1.monday";
    const backup = Backup.fromPartial({ name, spec: { instance: "vm1", incrementalOf: base }, status: { reason } });
    const receive: Backups["receive"] = async (received, how) => {
      await how.write(directory, signal ?? how.signal);
      return received.backup;
    };
    const { receiveBackup } = transferService({ receive } as unknown as Backups);
    const requests = async function* () {
      const value = { backup, instanceJson, files: [...files] };
      yield ReceiveBackupRequest.fromPartial({ part: { part: { $case: "begin", value } } });
      for (const value of data) yield ReceiveBackupRequest.fromPartial({ part: { part: { $case: "data", value } } });
    };
    for await (const _ of receiveBackup(requests(), context()));
  }

  it("is written as it comes, whatever its pieces are", async () => {
    const [first, second] = [disk(), Buffer.from("what a container has written")];
    const whole = Buffer.concat([first, second]);
    await receive({
      files: [file(first), file(second, "upper.tar")],
      data: [whole.subarray(0, 7), whole.subarray(7, 1030), whole.subarray(1030)],
    });
    expect(await readFile(join(directory, "disk0.qcow2"))).toEqual(first);
    expect(await readFile(join(directory, "upper.tar"))).toEqual(second);
  });

  it.each([
    ["no files", { files: [] }],
    ["a name that leads elsewhere", { files: [{ ...file(disk()), name: "../disk0.qcow2" }] }],
    ["a name twice", { files: [file(disk()), file(disk())] }],
    ["a size below nothing", { files: [{ ...file(disk()), sizeBytes: -1n }] }],
    ["a size that no file has", { files: [{ ...file(disk()), sizeBytes: 2n ** 44n + 1n }] }],
    ["a digest that is none", { files: [{ ...file(disk()), sha256: Buffer.alloc(31) }] }],
  ])("is refused with %s", async (_what, told) => {
    await expect(receive(told)).rejects.toMatchObject({ violations: [{ field: "begin.files" }] });
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    ["control characters", "\u001b[2J"],
    ["no end", "x".repeat(2000)],
  ])("is refused with a reason that has %s", async (_what, reason) => {
    await expect(receive({ reason })).rejects.toMatchObject({ violations: [{ field: "begin.backup.status.reason" }] });
  });

  it.each(["", "null", "[]", "7", "{"])("is refused with an instance that reads %j", async (instanceJson) => {
    await expect(receive({ instanceJson })).rejects.toMatchObject({ violations: [{ field: "begin.instance_json" }] });
  });

  it("is refused when what it builds on leads elsewhere", async () => {
    const data = disk("../../instances/vm2/disk0.qcow2");
    await expect(receive({ files: [file(data)], data: [data], base: "../instances/vm2" })).rejects.toMatchObject({
      violations: [{ field: "begin.backup.spec.incremental_of" }],
    });
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    ["a file of the host", "/etc/shadow", ""],
    ["a file beside, though it builds on nothing", "../vm2.monday/disk0.qcow2", ""],
    ["another than that which it builds on", "../vm2.monday/disk0.qcow2", "vm1.sunday"],
  ])("is refused with a disk over %s", async (_what, backing, base) => {
    const data = disk(backing);
    await expect(receive({ files: [file(data)], data: [data], base })).rejects.toMatchObject({
      reason: "BACKUP_REFUSED",
    });
  });

  it("has a disk over that which it builds on", async () => {
    const data = disk("../vm1.sunday/disk0.qcow2");
    await receive({ files: [file(data)], data: [data], base: "vm1.sunday" });
    expect(await readFile(join(directory, "disk0.qcow2"))).toEqual(data);
  });

  it("is refused when less or more comes than was told", async () => {
    await expect(receive({ data: [disk().subarray(1)] })).rejects.toMatchObject({ reason: "BACKUP_CUT" });
    await rm(join(directory, "disk0.qcow2"));
    await expect(receive({ data: [Buffer.concat([disk(), Buffer.alloc(1)])] })).rejects.toMatchObject({
      violations: [{ field: "data" }],
    });
  });

  it("is not written on when the disk is full", async () => {
    const full = AbortSignal.abort(new Error("full"));
    await expect(receive({ signal: full })).rejects.toThrow("full");
    expect(await readFile(join(directory, "disk0.qcow2"))).toHaveLength(0);
  });
});

describe("a backup for another host", () => {
  async function read(): Promise<Buffer> {
    const files = { "disk0.qcow2": digestOf(disk()).toString("hex") };
    const backup = Backup.fromPartial({ name: "hosts/h1/backups/vm1.monday" });
    const whole = () => ({ backup, facts: { directory, instance: {}, files } });
    const { readBackup } = transferService({ whole } as unknown as Backups);
    const data: Buffer[] = [];
    for await (const message of readBackup({ backupId: "vm1.monday" }, context()))
      if ("part" in message && message.part?.part?.$case === "data") data.push(message.part.part.value);
    return Buffer.concat(data);
  }

  it("is what lies in its directory", async () => {
    await writeFile(join(directory, "disk0.qcow2"), disk());
    expect(await read()).toEqual(disk());
  });

  it.each([
    ["missing", async () => undefined],
    ["a link", (path: string) => symlink("/etc/passwd", path)],
    ["a directory", (path: string) => mkdir(path)],
  ])("is refused when its file is %s", async (_what, make) => {
    await make(join(directory, "disk0.qcow2"));
    await expect(read()).rejects.toMatchObject({ reason: "BACKUP_DAMAGED" });
  });
});
