import { basename } from "node:path";
import { failedPrecondition, unavailable, type ZorError } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { Disk } from "../../../proto/gen/zor/v1/qemu.js";
import { installWords } from "../../host/tool-packages.js";
import type { DriverInstance } from "../driver.js";
import { type DisksOptions, openDiskImage, openOwnFile } from "./disks.js";
import { findLockHolders, type LockHolder, toLockName } from "./lock-holder.js";
import { qemuOptionsOf } from "./options.js";
import { lastMessage } from "./run-directory.js";

const maxMessage = 300;

/** Why QEMU ended before it answered, in words for whoever started the machine. */
export async function toStartFailure(instance: DriverInstance, options: DisksOptions): Promise<ZorError> {
  const said = await lastMessage(instance);
  // Its last line follows the one that tells which lock.
  if (/Failed to get (?:shared )?"[\w-]+" lock|Is another process using the image/.test(said))
    return await toLocked(instance, options);
  const resource = instance.name;
  // It is setpriv that finds no QEMU, once it has become the machine's user.
  const missing = /^setpriv: failed to execute (\S+): No such file/.exec(said)?.[1];
  if (missing !== undefined) {
    const program = basename(missing);
    return failedPrecondition(
      "TOOL_MISSING",
      resource,
      `${resource}: ${program} is not installed on the host; ${installWords(program)}`,
    );
  }
  const words = withoutArguments(said);
  return failedPrecondition(
    "START_FAILED",
    resource,
    `${resource}: QEMU did not start: ${words === "" ? "it said nothing and did not answer in time; was its process stopped or killed on the host?" : words}`,
  );
}

/** QEMU's message without its own command line: "qemu: -blockdev {…}: Failed" becomes "Failed"; pure. */
export function withoutArguments(message: string): string {
  const text = message
    .replace(/^\S*qemu-system-\S+: /, "")
    .replace(/^-blockdev \{.*\}: /, "")
    .replace(/^-[a-z][a-z-]* (?:[^\s:]|:(?! ))+: /, "");
  return text.slice(0, maxMessage);
}

async function toLocked(instance: DriverInstance, options: DisksOptions): Promise<ZorError> {
  const { name: resource } = instance;
  for (const [index, disk] of qemuOptionsOf(instance.spec).disks.entries()) {
    for (const { what, lockName } of await lockNamesOf(disk, index, options)) {
      const holders = await findLockHolders(lockName);
      if (holders.length > 0) return locked(resource, `${what} is in use by ${holders.map(toWords).join(" and ")}`);
    }
  }
  return locked(resource, "one of its images was in use by another program, which has ended or is not on this host");
}

function locked(resource: string, what: string): ZorError {
  const remedy = "end that or let it finish and start the machine again, or give the machine a copy of the image";
  return failedPrecondition("DISK_IN_USE", resource, `${resource}: ${what}; ${remedy}`);
}

function toWords({ pid, program, machine }: LockHolder): string {
  return machine === undefined ? `${program} (pid ${pid})` : `the machine ${machine} (pid ${pid})`;
}

/** The files of a disk with what people know them by. */
async function lockNamesOf(
  disk: Disk,
  index: number,
  options: DisksOptions,
): Promise<readonly { readonly what: string; readonly lockName: string }[]> {
  await using chain = await openDiskImage(disk, index, options);
  await using overlay = await openOwnFile(disk, index, options);
  const files = [
    ...(overlay === undefined ? [] : [{ what: `the overlay of disk ${index}`, file: overlay }]),
    ...(chain?.layers ?? []).map(({ path, file }, level) => ({
      what: `the image ${level === 0 ? quote(disk.image) : quote(basename(path))}`,
      file,
    })),
  ];
  return await Promise.all(
    files.map(async ({ what, file }) => ({ what, lockName: toLockName(await file.stat({ bigint: true })) })),
  );
}

/** For a QEMU that stays although it was killed. */
export function undying(instance: DriverInstance): ZorError {
  const resource = instance.name;
  return unavailable(
    "STOP_FAILED",
    resource,
    `${resource}: QEMU does not end, not even when killed; see the host's kernel log`,
  );
}
