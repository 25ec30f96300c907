import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";

/** A range that neither distributions, systemd nor its containers hand out (systemd's UIDS-GIDS). */
const firstUid = 1_900_000_000;
const uidCount = 2 ** 24;

/** The unprivileged user and group of one instance: always the same for the same uid. */
export function toUserId(uid: string): number {
  return firstUid + (createHash("sha256").update(uid).digest().readUInt32BE(0) % uidCount);
}

/** A program with arguments. */
export interface Command {
  readonly tool: string;
  readonly argv: readonly string[];
}

/** A program as an unprivileged user without any capability; pure. setpriv replaces itself, so the pid is the program's own. */
export function toUnprivileged({ tool, argv }: Command, user: number, groups: readonly number[]): Command {
  const supplementary = groups.length === 0 ? ["--clear-groups"] : ["--groups", groups.join(",")];
  const drop = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"];
  return {
    tool: "setpriv",
    argv: ["--reuid", `${user}`, "--regid", `${user}`, ...supplementary, ...drop, "--", tool, ...argv],
  };
}

/** Groups that let an unprivileged user open /dev/kvm; undefined when none does. */
export async function findKvmGroups(): Promise<readonly number[] | undefined> {
  const device = await stat("/dev/kvm").catch(() => undefined);
  if (device === undefined) return undefined;
  if ((device.mode & 0o006) === 0o006) return [];
  // Group 0 would give away more than the device.
  return (device.mode & 0o060) === 0o060 && device.gid !== 0 ? [device.gid] : undefined;
}
