import { z } from "zod";
import { failedPrecondition } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { ContainerDevice, ContainerMount } from "../../../proto/gen/zor/v1/crun.js";

/** What containers may have of the host, as its agent's own settings say; no hub can widen it. Nothing by default. */
export interface ContainerPolicy {
  /** Directories of the host that containers may mount something of. */
  readonly mounts: readonly AllowedMount[];
  /** Files of devices that containers may have. */
  readonly devices: readonly string[];
  /** Containers without walls are allowed: whoever may create one owns the host. */
  readonly privileged: boolean;
}

/** A directory that containers may mount, or anything in it. */
export interface AllowedMount {
  readonly path: string;
  readonly readOnly: boolean;
}

/** What a host allows of whose policy nothing is said. */
export const nothingAllowed: ContainerPolicy = { mounts: [], devices: [], privileged: false };

/** What a container wants of the host. */
export interface HostWishes {
  readonly mounts: readonly ContainerMount[];
  readonly devices: readonly ContainerDevice[];
  readonly privileged: boolean;
}

/**
 * Looks whether this host's policy allows what a container wants of the host.
 * @param options.below also what is in an allowed directory may be mounted. Not where the runtime looks the path up by itself later: whoever
 * may write in the directory could have exchanged it until then.
 * @throws {ZorError} FAILED_PRECONDITION that names the setting.
 */
export function checkPolicy(
  { mounts, devices, privileged }: HostWishes,
  policy: ContainerPolicy,
  { below }: { readonly below: boolean },
): void {
  if (privileged && !policy.privileged) throw refusal("privileged containers", "privilegedContainers");
  for (const { source } of mounts) {
    if (source?.$case !== "hostPath") continue;
    const rule = findMountRule(policy, source.value);
    if (rule === undefined) throw refusal(`mounting ${quote(source.value)}`, "containerMounts");
    if (below || rule.path === source.value) continue;
    const what = `mounting ${quote(source.value)} by this driver, which can mount ${quote(rule.path)} itself but nothing in it`;
    throw refusal(what, "containerMounts");
  }
  for (const { hostPath } of devices) {
    if (!policy.devices.includes(hostPath)) throw refusal(`the device ${quote(hostPath)}`, "containerDevices");
  }
}

/** What decides over mounting a path: the narrowest directory that it is in. */
export function findMountRule({ mounts }: ContainerPolicy, path: string): AllowedMount | undefined {
  const fitting = mounts.filter((each) => isIn(each.path, path));
  return fitting.toSorted((a, b) => b.path.length - a.path.length)[0];
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

const absolutePath = z
  .string()
  .max(4096)
  .regex(/^\/(?!.*(\/\.\.?(\/|$)|\/\/))[^\0]*$/, 'expected an absolute path without "." and "..", such as "/srv/lab"');

/** Settings of an agent, by their names. */
export const containerPolicySettings = {
  /** Each "/srv/lab", or "/srv/lab:ro" for what no container may write. */
  containerMounts: z
    .array(
      z
        .string()
        .transform((text): AllowedMount => {
          const readOnly = text.endsWith(":ro");
          return { path: text.replace(/:r[ow]$/, ""), readOnly };
        })
        .pipe(z.object({ path: absolutePath, readOnly: z.boolean() })),
    )
    .max(256)
    .optional(),
  containerDevices: z.array(absolutePath.startsWith("/dev/")).max(256).optional(),
  privilegedContainers: z.boolean().optional(),
};
