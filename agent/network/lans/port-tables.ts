import { flowTables } from "../flows/pipeline.js";

/** The tables of part "port", which a frame passes in this order; see flows/pipeline.ts. */
export const portTables = {
  /** Whether the frame's MAC addresses are the port's. */
  macs: flowTables.guards,
  /** Whether an IP address that it tells to be its own (neighbour discovery) is. */
  targets: 1,
  /** Whether the IP address that it comes from is. */
  sources: 2,
  /** Whether it comes from one of so many MAC addresses as the port may send from, which is remembered. */
  counting: 3,
  /** Where it does not it ends. */
  counted: 4,
  /** The limit of what the port sends. */
  rate: 5,
  /** Those of broadcasts and multicasts; for unicasts, whether somebody is known there. */
  storm: 6,
  /** That of unicasts to nobody who is known. */
  unknown: 7,
  /** Who has sent is remembered. */
  learning: 8,
  /** Who has, and what is counted: asked by others, and no station of a frame. */
  learned: 9,
} as const;
