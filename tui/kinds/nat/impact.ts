import { counted } from "../../../lib/words.js";
import type { Nat } from "../../../proto/gen/zor/v1/nat.js";

/** What deleting a nat takes with it. */
export function deletingNat({ spec, status }: Nat): string {
  const leases = status?.leaseCount ?? 0;
  const out = spec?.lan ? `${spec.lan} has no way out any more` : "it is in no lan";
  return leases === 0 ? out : `${out}; ${counted(leases, "lease")} end`;
}
