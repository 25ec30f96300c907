import { z } from "zod";

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
