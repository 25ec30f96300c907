import { failedPrecondition, type FieldViolation, messageOf, permissionDenied } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import type { QemuOptions, Share } from "../../../../proto/gen/zor/v1/qemu.js";
import { run, ToolError } from "../../../host/exec.js";
import { type HeldPath, holdPath } from "../../../host/open-exactly.js";
import { violation } from "../options.js";
import { type Command, toUnprivileged } from "../privileges.js";
import type { Asked, Launch, SharedDirectory } from "./part.js";

export const maxShares = 8;
const maxPathLength = 4096;
/** virtio_9p.h leaves 32 bytes with the NUL; virtiofs has 36. */
const tagPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/;

/** How a guest reaches its shares. */
export type ShareType = "9p" | "virtiofs";

/** The shares of one type, each with its place in the spec. */
export function sharesOf(
  { shares }: Pick<QemuOptions, "shares">,
  type: ShareType,
): readonly { readonly share: Share; readonly index: number }[] {
  return shares
    .map((share, index) => ({ share, index }))
    .filter(({ share }) => (share.type === "" ? "9p" : share.type) === type);
}

/** What is wrong with shares by themselves; pure. */
export function checkShares({ options: { shares: asked, machine, architecture } }: Asked): FieldViolation[] {
  if (asked.length === 0) return [];
  if (machine === "microvm" || architecture === "aarch64") {
    return [violation("qemu.shares", 'need a machine of type "q35" or "pc"')];
  }
  if (asked.length > maxShares) return [violation("qemu.shares", `${asked.length} are more than ${maxShares}`)];
  const tags = asked.map(({ tag }) => tag);
  return asked.flatMap(({ path, tag, type }, index): FieldViolation[] => {
    const field = `qemu.shares[${index}]`;
    if (!isPlainPath(path)) {
      return [violation(`${field}.path`, `${quote(path)} is not an absolute path without "." and "..": "/srv/lab"`)];
    }
    if (!["", "9p", "virtiofs"].includes(type)) {
      return [violation(`${field}.type`, `${quote(type)} is neither "9p" nor "virtiofs"`)];
    }
    if (!tagPattern.test(tag)) {
      return [violation(`${field}.tag`, `${quote(tag)} is not 1 to 31 letters, digits, ".", "-" and "_"`)];
    }
    return tags.indexOf(tag) === index ? [] : [violation(`${field}.tag`, `${tag} is the tag of another share`)];
  });
}

function isPlainPath(path: string): boolean {
  return path.length <= maxPathLength && !path.includes("\0") && /^\/(?!.*(\/\.\.?(\/|$)|\/\/))./.test(path);
}

/** @throws {ZorError} PERMISSION_DENIED when the host's settings do not allow it. */
export function assertAllowed({ path, readOnly }: Share, index: number, allowed: readonly SharedDirectory[]): void {
  const around = allowed.filter((each) => path === each.path || path.startsWith(`${each.path.replace(/\/$/, "")}/`));
  const field = `instance.spec.qemu.shares[${index}]`;
  if (around.length === 0) {
    throw permissionDenied(
      `${field}.path: ${quote(path)} may not be given to machines; allow it, or a directory that it is in, with machineShares in the agent's settings`,
    );
  }
  if (readOnly || around.some((each) => !each.readOnly)) return;
  throw permissionDenied(
    `${field}.read_only: machines may only read ${quote(path)}; set it, or allow writing with machineShares in the agent's settings`,
  );
}

/** No part of the path may be a link: what is shared is what is allowed. @throws {ZorError} FAILED_PRECONDITION */
export function holdShare({ path }: Share, resource: string): HeldPath {
  try {
    // With the slash it must be a directory.
    return holdPath(`${path.replace(/\/$/, "")}/`);
  } catch (error) {
    throw failedPrecondition(
      "SHARE_UNAVAILABLE",
      resource,
      `${resource}: the host's directory ${quote(path)} cannot be shared: ${messageOf(error)}; it must be there, and no part of its path may be a link`,
    );
  }
}

/**
 * Has the machine's user try whether it may use a directory, as the programs that serve it will.
 * @param within what they run in; default: nothing.
 * @throws {ZorError} FAILED_PRECONDITION with the command that allows it.
 */
export async function assertAccess(
  share: Share,
  held: HeldPath,
  { user, resource, signal }: Pick<Launch, "user" | "resource" | "signal">,
  within: (command: Command) => Command = (command) => command,
): Promise<void> {
  const tests = ["-r", ".", "-a", "-x", ".", ...(share.readOnly ? [] : ["-a", "-w", "."])];
  const { tool, argv } = toUnprivileged(within({ tool: "test", argv: tests }), user, []);
  try {
    await run(tool, argv, { cwd: held.path, signal });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    // "test" itself says nothing.
    if (error.stderrTail !== "") throw error;
    const rights = share.readOnly ? "rX" : "rwX";
    throw failedPrecondition(
      "SHARE_UNAVAILABLE",
      resource,
      `${resource}: its user ${user} may not ${share.readOnly ? "read" : "read and write"} the host's directory ${quote(share.path)}; ` +
        `allow it there with: setfacl -R -m u:${user}:${rights} -m d:u:${user}:${rights} ${share.path}`,
    );
  }
}
