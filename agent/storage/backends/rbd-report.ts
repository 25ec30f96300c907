import { z } from "zod";

const count = z
  .number()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .transform((value) => BigInt(Math.floor(value)));

const infoSchema = z.object({ name: z.string().max(1024), size: count });
const usageSchema = z.object({
  pools: z
    .array(
      z.object({
        name: z.string().max(1024),
        stats: z.object({ stored: count.optional(), bytes_used: count, max_avail: count }),
      }),
    )
    .max(10_000),
});

/** Size of an image in bytes, as `rbd info --format json` tells; undefined: it does not. Pure. */
export function parseRbdInfo(text: string): bigint | undefined {
  return infoSchema.safeParse(parsed(text)).data?.size;
}

/** What a pool has, as `ceph df --format json` tells; undefined: it does not. Pure. */
export function parseCephDf(
  text: string,
  pool: string,
): { readonly totalBytes: bigint; readonly freeBytes: bigint } | undefined {
  const found = usageSchema.safeParse(parsed(text)).data?.pools.find(({ name }) => name === pool);
  if (found === undefined) return undefined;
  // What is used counts every copy, what can be had none.
  const { stored, bytes_used: used, max_avail: freeBytes } = found.stats;
  return { totalBytes: (stored ?? used) + freeBytes, freeBytes };
}

/** The key of a user in a keyring (ceph-authtool(8)), base64; undefined: it has none. Pure. */
export function findKey(keyring: string, user: string): string | undefined {
  let isUser = false;
  for (const line of keyring.split("\n")) {
    const section = /^\s*\[(.*)\]\s*$/.exec(line)?.[1];
    if (section !== undefined) isUser = section === `client.${user}`;
    const key = /^\s*key\s*=\s*([A-Za-z0-9+/]{16,200}={0,2})\s*$/.exec(line)?.[1];
    if (isUser && key !== undefined) return key;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
