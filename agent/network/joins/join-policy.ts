import { z } from "zod";
import { matchesName } from "../name-pattern.js";

/** One entry of the agent's setting bridges: a bridge of the host that lans may be joined with. */
export const allowedBridgeSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\*?$/,
    'expected the name of a bridge, or with "*" at its end the beginning of names: "br0" or "lab-*"',
  );

/** Whether a lan may be joined with a bridge of the host. Pure. */
export function mayJoin(allowed: readonly string[], bridge: string): boolean {
  return allowed.some((pattern) => matchesName(pattern, bridge));
}
