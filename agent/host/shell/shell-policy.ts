import { z } from "zod";
import { type Caller, findRole, roleName } from "../../../lib/auth/caller.js";
import { failedPrecondition, permissionDenied } from "../../../lib/errors.js";
import type { Capability } from "../../../proto/gen/zor/v1/host.js";

/**
 * The agent's setting hostShell: whom this host gives a shell, as whom, and how. Without it nobody gets one. Only the file on the host has
 * it: nothing that a hub or a caller says widens it.
 */
export const hostShellSchema = z.strictObject({
  /** Whose the shell is; "root" has to be said. */
  user: z.string().regex(/^[A-Za-z_][A-Za-z0-9._-]{0,31}$/, 'expected the name of a user of this host, such as "lab"'),
  /** What is run, in the place of the user's login shell; callers then cannot name a command of their own. */
  command: z
    .array(
      z
        .string()
        .max(4096)
        .regex(/^[^\0]+$/),
    )
    .min(1)
    .max(64)
    .optional(),
  /** Least role. */
  role: z.enum(["admin", "operator"]).default("admin"),
  /** Only these of them; default: all. */
  callers: z
    .array(
      z
        .string()
        .regex(/^zor:\/\/(user|service)\/[A-Za-z0-9._-]{1,63}$/, 'expected an identity such as "zor://user/ana"'),
    )
    .min(1)
    .max(256)
    .optional(),
  /** Only who shows this agent a certificate of their own, not whom a hub names. */
  direct: z.boolean().default(false),
  /** sudo, su and other programs that make one somebody else work in it. */
  sudo: z.boolean().default(false),
  /** At once. */
  sessions: z.number().int().min(1).max(64).default(4),
  /** One in which nothing was typed or said for so long is ended. */
  idleMinutes: z.number().int().min(1).max(1440).default(30),
});

/** Whom a host gives a shell, and how. */
export type HostShellPolicy = z.output<typeof hostShellSchema>;

/** What a caller wants. */
export interface WantedShell {
  readonly host: string;
  readonly caller: Caller;
  /** Empty: a shell. */
  readonly command: readonly string[];
}

/**
 * What a shell is opened by; pure.
 * @throws {ZorError} FAILED_PRECONDITION for a host that gives none, PERMISSION_DENIED for a caller who gets none.
 */
export function admitToShell(
  policy: HostShellPolicy | undefined,
  { host, caller, command }: WantedShell,
): HostShellPolicy {
  const name = `hosts/${host}`;
  if (policy === undefined) {
    throw failedPrecondition(
      "POLICY",
      name,
      `${name} gives nobody a shell: its administrator allows that there, with the agent's setting hostShell`,
    );
  }
  const { identity, kind, role, serial } = caller;
  const refuse = (why: string): Error => permissionDenied(`${name} gives ${identity} no shell: ${why}`, name);
  if (kind !== "user" && kind !== "service") throw refuse("only people and services get one");
  const least = findRole(policy.role);
  if (least === undefined || role < least) {
    throw refuse(`its agent's policy asks for role ${policy.role}, and this is ${roleName(role)}`);
  }
  if (policy.callers?.includes(identity) === false) throw refuse("its agent's policy names others");
  if (policy.direct && serial === undefined) {
    throw refuse(
      "its agent's policy wants the caller's own certificate; connect to the agent itself, not through a hub",
    );
  }
  if (policy.command !== undefined && command.length > 0) {
    throw refuse("its agent's policy says what is run, and it is not a command of the caller's; leave the command out");
  }
  return policy;
}

/** What a host's doctor and description say of it; pure. */
export function shellCapability(policy: HostShellPolicy | undefined): Capability {
  if (policy === undefined) {
    return { id: "shell", available: false, version: "", reason: "nobody gets one: hostShell is not set" };
  }
  const { user, role, callers, direct, sudo } = policy;
  const who = callers === undefined ? `${role}s` : `${role}s among ${callers.length} named callers`;
  const words = [`as ${user}`, `for ${who}`, ...(direct ? ["not through a hub"] : []), ...(sudo ? ["with sudo"] : [])];
  return { id: "shell", available: true, version: "", reason: words.join(", ") };
}
