import { z } from "zod";

/** How an interface of the host takes part in a lan. */
export type PhyWay = "absorb" | "macvlan" | "vlan";

/** Which interfaces phys may take. */
export interface AllowedPhys {
  /** Name of an interface, or with "*" at its end the beginning of names. */
  readonly device: string;
  /** How they may be taken. */
  readonly modes: readonly PhyWay[];
}

/** One entry of the agent's setting phys. */
export const allowedPhysSchema = z.strictObject({
  device: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\*?$/, 'expected the name of an interface, such as "eth1" or "enp3s*"'),
  modes: z
    .array(z.enum(["absorb", "macvlan", "vlan"]))
    .min(1)
    .max(3)
    .default(["absorb", "macvlan", "vlan"]),
});

/** Why an interface may not be taken so; undefined: it may. Pure. */
export function phyRefusal(
  allowed: readonly AllowedPhys[],
  { device, mode }: { readonly device: string; readonly mode: PhyWay },
): string | undefined {
  const entries = allowed.filter((entry) => covers(entry.device, device));
  if (entries.length === 0) return `take ${device}`;
  return entries.some(({ modes }) => modes.includes(mode)) ? undefined : `take ${device} with mode ${mode}`;
}

function covers(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
