import type { Host } from "../../proto/gen/zor/v1/host.js";

/** Where the agent of a host is. */
export type AgentPlace = Pick<Host, "addresses" | "via"> & {
  /** Id of the host. */
  readonly id: string;
};
