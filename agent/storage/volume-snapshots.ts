import { failedPrecondition } from "../../lib/errors.js";
import { agreeing, listed } from "../../lib/words.js";
import type { References } from "../kit/references.js";

/** What cannot be done to a volume that states of a machine are kept in. */
interface Forbidden {
  /** Id of the volume. */
  readonly volume: string;
  /** Resource name for errors; default: the volume's. */
  readonly resource?: string;
  /** Completes "cannot be …": "moved". */
  readonly what: string;
}

/**
 * States of a machine that are kept in a volume are of use only as long as it is as it is, and is where it is.
 * @throws {ZorError} FAILED_PRECONDITION that names the snapshots.
 */
export function assertNoSnapshots(
  references: Pick<References, "usersOf" | "nameOf">,
  { volume, resource, what }: Forbidden,
): void {
  const users = references.usersOf("volume", volume);
  const snapshots = users.filter((name) => name.includes("/snapshots/"));
  if (snapshots.length === 0) return;
  const name = references.nameOf("volume", volume);
  const [is, that] = [agreeing(snapshots.length, "is", "are"), agreeing(snapshots.length, "that", "those")];
  const why = `${listed(snapshots, 3)} ${is} kept in it; delete ${that} first, with: zor delete snapshot`;
  throw failedPrecondition("VOLUME_HAS_SNAPSHOTS", resource ?? name, `${name} cannot be ${what}: ${why}`);
}
