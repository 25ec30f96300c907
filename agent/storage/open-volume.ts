import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { failedPrecondition, type ZorError } from "../../lib/errors.js";
import { parseQcow2Header, qcow2HeaderBytes } from "../drivers/qemu/qcow2.js";
import { holdPathAside, openHeld } from "../host/open-exactly.js";
import type { OpenVolume } from "../drivers/abilities/volumes.js";
import { inShareTurn } from "./share-turns.js";
import type { StorageVolume, VolumeSource } from "./pool-backend.js";
import { toldOf } from "../host/told.js";

/** Opens what a backend says of a volume, as drivers are given it. @throws {ZorError} FAILED_PRECONDITION */
export async function openSource(source: VolumeSource, volume: StorageVolume, mode: "r" | "r+"): Promise<OpenVolume> {
  const { name, sizeBytes } = volume;
  const facts = { name, sizeBytes };
  switch (source.kind) {
    case "file": {
      const openIt = () => openVolumeFile(source.path, { ...volume, format: source.format }, mode);
      const file = await (source.ofServer === true ? inShareTurn(openIt) : openIt());
      return { ...facts, kind: "file", file, format: source.format, [Symbol.asyncDispose]: () => file.close() };
    }
    case "device": {
      const file = await openDevice(source.path, name, mode);
      return { ...facts, kind: "device", file, [Symbol.asyncDispose]: () => file.close() };
    }
    case "remote":
      return {
        ...{ ...facts, kind: "remote", node: source.node, secrets: source.secrets ?? [] },
        [Symbol.asyncDispose]: async () => undefined,
      };
  }
}

/** Opens a block device, which udev reaches by links; the agent has named it. */
async function openDevice(path: string, name: string, mode: "r" | "r+"): Promise<FileHandle> {
  const access = mode === "r" ? constants.O_RDONLY : constants.O_RDWR;
  const file = await realpath(path)
    .then((real) => open(real, access | constants.O_NOFOLLOW | constants.O_NONBLOCK))
    .catch((cause: unknown) => {
      throw damaged(name, `cannot be opened on the host (${toldOf(cause)})`);
    });
  if ((await file.stat()).isBlockDevice()) return file;
  await file.close();
  throw damaged(name, "is not a block device");
}

/**
 * Opens the file of a volume, through no link, and looks at it before any tool does: somebody else may be able to write where it lies.
 * @throws {ZorError} FAILED_PRECONDITION when it is not there, or not what the agent made.
 */
export async function openVolumeFile(
  path: string,
  volume: Pick<StorageVolume, "name" | "sizeBytes" | "format">,
  mode: "r" | "r+" = "r+",
): Promise<FileHandle> {
  const file = await openThere(path, volume.name, mode);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw damaged(volume.name, "is not a file any more");
    if (found.nlink !== 1) throw damaged(volume.name, "has another name on the host");
    if (volume.format === "raw") assertSize(volume, BigInt(found.size));
    else await checkHeader(file, volume);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openThere(path: string, name: string, mode: "r" | "r+"): Promise<FileHandle> {
  try {
    await using held = await holdPathAside(path);
    return await openHeld(held, mode);
  } catch (cause) {
    throw damaged(name, `cannot be opened on the host (${toldOf(cause)})`);
  }
}

/** A file that names another one would be read from the host as whoever wrote the header likes. */
async function checkHeader(file: FileHandle, volume: Pick<StorageVolume, "name" | "sizeBytes">): Promise<void> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(qcow2HeaderBytes), 0, qcow2HeaderBytes, 0);
  const header = parsed(buffer.subarray(0, bytesRead), volume.name);
  if (header.backingFile !== undefined) throw damaged(volume.name, "stands over another file, which volumes never do");
  if (header.externalData) throw damaged(volume.name, "keeps its data in another file, which volumes never do");
  if (header.encrypted) throw damaged(volume.name, "is encrypted, which volumes never are");
  if (header.corrupt) throw damaged(volume.name, "is marked as damaged; repair it with: qemu-img check -r all");
  assertSize(volume, header.virtualSizeBytes);
}

function parsed(start: Buffer, name: string): ReturnType<typeof parseQcow2Header> {
  try {
    return parseQcow2Header(start);
  } catch (error) {
    throw damaged(name, toldOf(error));
  }
}

/** It may be larger: a growth that was not written down. */
function assertSize({ name, sizeBytes }: Pick<StorageVolume, "name" | "sizeBytes">, found: bigint): void {
  if (found >= sizeBytes && found % 512n === 0n) return;
  throw damaged(name, `is a disk of ${found} bytes, and was one of ${sizeBytes}`);
}

function damaged(name: string, why: string): ZorError {
  const remedy = "restore it where it lies, or delete the volume";
  return failedPrecondition("VOLUME_DAMAGED", name, `${name}: its content ${why}; ${remedy}`);
}
