import type { Capability } from "../../proto/gen/zor/v1/host.js";

/** A capability the host has; `remark` says more for people. */
export function present(id: string, version = "", remark = ""): Capability {
  return { id, available: true, version, reason: remark };
}

/** A capability the host lacks; `reason` says why and what would provide it. */
export function missing(id: string, reason: string): Capability {
  return { id, available: false, version: "", reason };
}
