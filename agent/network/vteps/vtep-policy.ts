import { z } from "zod";
import { isWithinSubnet, subnetSchema } from "../subnets.js";
import { vxlanPort } from "../vxlan-device.js";

/** Where vteps may lead. */
export interface AllowedVteps {
  /** Subnets of the other ends. */
  readonly remotes: readonly string[];
  /** Ranges of network identifiers. */
  readonly vnis: readonly VniRange[];
  /** UDP ports. */
  readonly ports: readonly number[];
}

interface VniRange {
  readonly first: number;
  readonly last: number;
}

/** Largest network identifier: it has 24 bits. */
export const maxVni = 0xffffff;

const vnis = z.union([z.number().int(), z.string()]).transform((given, context): VniRange => {
  const [, from = "", to = from] = /^(\d{1,8})(?:-(\d{1,8}))?$/.exec(String(given)) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (from !== "" && first >= 1 && first <= last && last <= maxVni) return { first, last };
  context.addIssue({ code: "custom", message: `expected 1 to ${maxVni} or a range of them, such as 42 or "100-199"` });
  return z.NEVER;
});

/** One entry of the agent's setting vteps. */
export const allowedVtepsSchema = z.strictObject({
  remotes: z.array(subnetSchema).min(1).max(64),
  vnis: z.array(vnis).min(1).max(64),
  ports: z.array(z.number().int().min(1).max(65_535)).min(1).max(64).default([vxlanPort]),
});

/** Why a vtep may not lead there; undefined: it may. All must be of one entry. Pure. */
export function vtepRefusal(
  allowed: readonly AllowedVteps[],
  { remote, vni, dstPort }: { readonly remote: string; readonly vni: number; readonly dstPort: number },
): string | undefined {
  const there = allowed.filter(({ remotes }) => remotes.some((each) => isWithinSubnet(each, remote)));
  if (there.length === 0) return `lead to ${remote}`;
  const same = there.filter((entry) => entry.vnis.some(({ first, last }) => vni >= first && vni <= last));
  if (same.length === 0) return `lead to ${remote} with VNI ${vni}`;
  return same.some(({ ports }) => ports.includes(dstPort)) ? undefined : `lead to port ${dstPort} of ${remote}`;
}
