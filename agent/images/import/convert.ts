import type { FileHandle } from "node:fs/promises";
import { ToolError } from "../../host/exec.js";
import type { ForeignDisk } from "../image-content.js";
import { imageUser, runSandboxed } from "../sandboxed-tool.js";
import { ArchiveError } from "./zip.js";

/** What is made of what. */
export interface ConvertOptions {
  readonly format: ForeignDisk;
  readonly from: FileHandle;
  /** Empty. */
  readonly to: FileHandle;
  /** Largest disk that a guest may see. */
  readonly maxDiskBytes: number;
  /** Largest file that may be written. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly onProgress: (percent: number) => void;
}

/**
 * Makes a qcow2 of a disk in a foreign format whose header was checked. The tool is told the format, has both files as open descriptors
 * and can open nothing else. @throws {ArchiveError} when the image is damaged or too large.
 */
export async function convertDisk(options: ConvertOptions): Promise<void> {
  const { format, from, to, maxDiskBytes, maxBytes, signal, onProgress } = options;
  // The user may open what it has as descriptors, and cannot reach the directory they are in.
  await from.chmod(0o444);
  await to.chown(imageUser, imageUser);
  try {
    const size = await virtualSizeOf(options);
    if (size > maxDiskBytes) {
      throw new ArchiveError(
        `is a disk of ${Math.ceil(size / 1024 ** 2)} MiB, more than the ${Math.floor(maxDiskBytes / 1024 ** 2)} MiB that one machine may have on this host (disk.instanceMib in the agent's settings)`,
      );
    }
    await runSandboxed({
      tool: "qemu-img",
      argv: ["convert", "-p", "-f", format, "-O", "qcow2", "/proc/self/fd/3", "/proc/self/fd/4"],
      files: [from.fd, to.fd],
      maxFileBytes: maxBytes,
      signal,
      onOutput: (data) => {
        const percent = /\(([\d.]+)\/100%\)(?!.*\/100%)/s.exec(data.toString("latin1"))?.[1];
        if (percent !== undefined) onProgress(Number(percent));
      },
    });
  } catch (error) {
    throw error instanceof ToolError ? readable(error, format) : error;
  } finally {
    await from.chmod(0o600);
  }
}

async function virtualSizeOf({ format, from, signal }: ConvertOptions): Promise<number> {
  let output = "";
  await runSandboxed({
    tool: "qemu-img",
    argv: ["info", "--output=json", "-f", format, "/proc/self/fd/3"],
    files: [from.fd],
    maxFileBytes: 1,
    signal,
    onOutput: (data) => {
      if (output.length < 1024 * 1024) output += data.toString("utf8");
    },
  });
  const told: unknown = JSON.parse(output);
  const size = typeof told === "object" && told !== null && "virtual-size" in told ? told["virtual-size"] : undefined;
  const refers =
    typeof told === "object" && told !== null && ("backing-filename" in told || "full-backing-filename" in told);
  if (refers) throw new ArchiveError("is only the difference to another disk; merge them first");
  if (typeof size !== "number" || !Number.isFinite(size))
    throw new ArchiveError(`is a ${format} image that cannot be read`);
  return size;
}

function readable(error: ToolError, format: ForeignDisk): Error {
  if (/No space left on device|Disk quota exceeded/.test(error.stderrTail)) return error;
  if (/File too large|wrote more/.test(`${error.message} ${error.stderrTail}`)) {
    return new ArchiveError(
      "is larger than the host has room for when it is converted; free some space there, and import it again",
      { cause: error },
    );
  }
  if (/is not installed/.test(error.message)) return error;
  return new ArchiveError(`is a damaged ${format} image: it cannot be converted`, { cause: error });
}
