import { flowTables } from "../flows/pipeline.js";

/** The tables of part "port", which a frame passes in this order; see flows/pipeline.ts. */
export const portTables = {
  /** Whether the frame's MAC addresses are the port's. */
  macs: flowTables.guards,
  /** Whether an IP address that it tells to be its own (neighbour discovery) is. */
  targets: 1,
  /** Whether the IP address that it comes from is. */
  sources: 2,
  /** The limit of what the port sends. */
  rate: 3,
  /** Those of broadcasts and multicasts; for unicasts, whether somebody is known there. */
  storm: 4,
  /** That of unicasts to nobody who is known. */
  unknown: 5,
  /** Who has sent is remembered. */
  learning: 6,
  /** Who has: asked by others, and no station of a frame. */
  learned: 7,
} as const;
