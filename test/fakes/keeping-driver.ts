import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BackedUp, BackupFacts, BackupRequest, TakenBackup } from "../../agent/drivers/abilities/backups.js";
import type { SnapshotFacts, Snapshottable, SnapshotTag } from "../../agent/drivers/abilities/snapshots.js";
import type { DriverInstance } from "../../agent/drivers/driver.js";
import { notFound } from "../../lib/errors.js";
import { FakeDriver } from "./driver.js";

const backupFile = "content";

/** A fake driver whose instances hold a word, of which snapshots and backups are kept. */
export class KeepingDriver extends FakeDriver implements Snapshottable, BackedUp {
  readonly withMemory = false;
  /** What instances hold, by uid. */
  readonly words = new Map<string, string>();
  /** What snapshots hold, by the uid of their instance and their tag. */
  readonly kept = new Map<string, string>();
  override readonly can = {
    ...{ pause: this, reset: this, shutdown: this, console: this, exec: this, change: this, suspend: this },
    ...{ snapshot: this, backup: this },
  };

  async checkSnapshot(): Promise<void> {}

  async takeSnapshot(instance: DriverInstance, _handle: unknown, { tag }: SnapshotTag): Promise<SnapshotFacts> {
    this.kept.set(keyOf(instance, tag), this.words.get(instance.uid) ?? "");
    return { sizeBytes: 0, consistent: true, extra: {} };
  }

  async revertTo(instance: DriverInstance, _handle: unknown, { tag }: SnapshotTag): Promise<void> {
    const word = this.kept.get(keyOf(instance, tag));
    if (word === undefined) throw notFound(`${instance.name} at ${tag}`);
    this.words.set(instance.uid, word);
  }

  async deleteSnapshot(instance: DriverInstance, _handle: unknown, { tag }: SnapshotTag): Promise<void> {
    this.kept.delete(keyOf(instance, tag));
  }

  async checkBackup(): Promise<void> {}

  async takeBackup(instance: DriverInstance, _handle: unknown, { directory }: BackupRequest): Promise<BackupFacts> {
    const word = this.words.get(instance.uid) ?? "";
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, backupFile), word);
    return { consistent: true, whyFull: "" };
  }

  async restoreBackup(instance: DriverInstance, { layers }: TakenBackup): Promise<void> {
    const file = layers.at(-1)?.get(backupFile);
    if (file === undefined) throw new Error(`the backup holds no ${backupFile}`);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1024), 0, 1024, 0);
    this.words.set(instance.uid, buffer.toString("utf8", 0, bytesRead));
  }
}

function keyOf({ uid }: DriverInstance, tag: string): string {
  return `${uid} ${tag}`;
}
