import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";
import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { ContainerDevice, CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { holdPath } from "../../host/open-exactly.js";
import type { ContainerPolicy } from "../containers/container-policy.js";
import type { KnownPath } from "./mount-namespace.js";

/** A device as the runtime makes it inside. */
export interface GrantedDevice {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly access: "rw" | "r";
}

/** A path of the host that a container may mount, as it was looked at. */
export interface GrantedMount extends KnownPath {
  readonly target: string;
  readonly readOnly: boolean;
}

/**
 * Looks whether this host's policy allows what a container wants of the host: mounts, devices, no walls.
 * @throws {ZorError} FAILED_PRECONDITION that names the setting.
 */
export function checkPolicy(spec: CrunOptions, policy: ContainerPolicy): void {
  if (spec.privileged && !policy.privileged) {
    throw refusal("privileged containers", "privilegedContainers");
  }
  for (const mount of spec.mounts) {
    if (mount.source?.$case !== "hostPath") continue;
    const { value } = mount.source;
    if (!policy.mounts.some(({ path }) => isIn(path, value)))
      throw refusal(`mounting ${quote(value)}`, "containerMounts");
  }
  for (const { hostPath } of spec.devices) {
    if (!policy.devices.includes(hostPath)) throw refusal(`the device ${quote(hostPath)}`, "containerDevices");
  }
}

/**
 * Looks at what a container mounts of the host, through no link.
 * @throws {ZorError} FAILED_PRECONDITION when something is not there, is a link, or is neither file nor directory.
 */
export async function grantMounts(
  spec: CrunOptions,
  policy: ContainerPolicy,
): Promise<{ readonly mounts: readonly GrantedMount[] } & AsyncDisposable> {
  await using held = new AsyncDisposableStack();
  const mounts: GrantedMount[] = [];
  for (const { source, target, readOnly } of spec.mounts) {
    if (source?.$case !== "hostPath") continue;
    const path = source.value;
    const found = await look(path);
    held.use(found.file);
    const allowed = policy.mounts.filter((each) => isIn(each.path, path));
    // The narrowest directory decides.
    const rule = allowed.toSorted((a, b) => b.path.length - a.path.length)[0];
    mounts.push({ path, id: found.id, target, readOnly: readOnly || rule?.readOnly !== false });
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

function isIn(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith("/") ? directory : `${directory}/`);
}

function refusal(what: string, setting: string): Error {
  return failedPrecondition(
    "POLICY",
    "",
    `this host's policy does not allow ${what}; its agent's ${setting} setting changes that`,
  );
}
