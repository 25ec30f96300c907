import { z } from "zod";

/** Numbers come as texts, and a snapshot or pool that does not have one says "". */
const bytes = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((text) => BigInt(text));
const percent = z
  .string()
  .regex(/^(\d{1,3}(\.\d{1,6})?)?$/)
  .transform((text) => (text === "" ? 0 : Math.min(100, Number(text))));
const words = z.string().max(64 * 1024);

const volumeSchema = z.object({
  lv_name: words,
  lv_size: bytes,
  segtype: words,
  pool_lv: words,
  lv_tags: words.transform((text) => text.split(",").filter((tag) => tag !== "")),
  data_percent: percent,
  zero: words,
  lv_active: words,
});

const reportSchema = z.object({
  report: z.array(z.object({ lv: z.array(volumeSchema).max(100_000) })).length(1),
});

/** A logical volume as lvs tells of it. */
export interface LogicalVolume {
  readonly name: string;
  readonly sizeBytes: bigint;
  /** "thin", "thin-pool", "linear". */
  readonly type: string;
  /** Thin pool that it is in; empty: none. */
  readonly pool: string;
  readonly tags: readonly string[];
  /** Of a thin pool or volume, how much of it is taken, 0 to 100. */
  readonly dataPercent: number;
  /** A thin pool hands out blocks without what was in them before. */
  readonly isZeroing: boolean;
  readonly isActive: boolean;
}

/** Columns of {@link parseLvs}. */
export const lvsColumns = "lv_name,lv_size,segtype,pool_lv,lv_tags,data_percent,zero,lv_active";

/** Reads the JSON report of lvs; undefined: it is none. Pure. */
export function parseLvs(text: string): readonly LogicalVolume[] | undefined {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = reportSchema.safeParse(told);
  return data?.report[0]?.lv.map((volume) => ({
    name: volume.lv_name.replace(/^\[(.*)\]$/, "$1"),
    sizeBytes: volume.lv_size,
    type: volume.segtype,
    pool: volume.pool_lv,
    tags: volume.lv_tags,
    dataPercent: volume.data_percent,
    isZeroing: volume.zero === "zero" || volume.zero === "1",
    isActive: volume.lv_active === "active",
  }));
}
