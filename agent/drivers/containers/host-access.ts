import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";
import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { ContainerDevice } from "../../../proto/gen/zor/v1/crun.js";
import { holdPath } from "../../host/open-exactly.js";
import { type ContainerPolicy, findMountRule, type HostWishes } from "./container-policy.js";

/** A device as the runtime makes it inside. */
export interface GrantedDevice {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly access: "rw" | "r";
}

/** A file or directory that was looked at, as it can be recognised in another mount namespace. */
export interface KnownPath {
  readonly path: string;
  /** "device:inode", in decimal; nobody else's as long as it is held open. */
  readonly id: string;
}

/** A path of the host that a container may mount, as it was looked at. */
export interface GrantedMount extends KnownPath {
  readonly target: string;
  readonly readOnly: boolean;
}

/**
 * Looks at what a container mounts of the host, through no link.
 * @throws {ZorError} FAILED_PRECONDITION when something is not there, is a link, or is neither file nor directory.
 */
export async function grantMounts(
  { mounts: wanted }: Pick<HostWishes, "mounts">,
  policy: ContainerPolicy,
): Promise<{ readonly mounts: readonly GrantedMount[] } & AsyncDisposable> {
  await using held = new AsyncDisposableStack();
  const mounts: GrantedMount[] = [];
  for (const { source, target, readOnly } of wanted) {
    if (source?.$case !== "hostPath") continue;
    const path = source.value;
    const found = await look(path);
    held.use(found.file);
    mounts.push({ path, id: found.id, target, readOnly: readOnly || findMountRule(policy, path)?.readOnly !== false });
  }
  const kept = held.move();
  return { mounts, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Looks at the devices a container wants. @throws {ZorError} FAILED_PRECONDITION when one is no device. */
export async function grantDevices(devices: readonly ContainerDevice[]): Promise<readonly GrantedDevice[]> {
  return await Promise.all(
    devices.map(async ({ hostPath, path, readOnly }) => {
      const found = await stat(hostPath).catch(() => undefined);
      const type = found?.isCharacterDevice() ? "c" : found?.isBlockDevice() ? "b" : undefined;
      if (found === undefined || type === undefined) {
        throw failedPrecondition("NO_DEVICE", "", `${quote(hostPath)} is no device of this host`);
      }
      const { rdev } = found;
      const [major, minor] = [(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)];
      return { path: path === "" ? hostPath : path, type, major, minor, access: readOnly ? "r" : "rw" } as const;
    }),
  );
}

async function look(path: string): Promise<{ readonly id: string; readonly file: FileHandle }> {
  try {
    using held = holdPath(path);
    const { dev, ino, ...kind } = await stat(held.path, { bigint: true });
    const mode = Number(kind.mode) & 0o170000;
    if (mode !== 0o100000 && mode !== 0o040000) throw new Error("it is neither a file nor a directory");
    return { id: `${dev}:${ino}`, file: await open(held.path, "r") };
  } catch (error) {
    throw failedPrecondition(
      "MOUNT_SOURCE",
      "",
      `${quote(path)} of the host cannot be mounted: it must be a file or directory that is there, without symbolic links in its path (${messageOf(error)})`,
    );
  }
}
