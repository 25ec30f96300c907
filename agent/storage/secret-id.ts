import { randomUUID } from "node:crypto";
import { type StorageVolume, storageName } from "./pool-backend.js";

/** Name of an object of QEMU's with a secret for a volume: another one each time, since a QEMU may have the volume open twice for a moment. */
export function newSecretId(volume: Pick<StorageVolume, "uid">): string {
  return `${storageName(volume)}-${randomUUID().slice(0, 8)}`;
}
