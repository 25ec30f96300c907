import { z } from "zod";
import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import type { Made } from "../../kit/made-resources.js";
import type { StorageVolume } from "../../storage/pool-backend.js";

const schema = z.object({
  /** A growth that was begun and is not in the specification yet: it is finished after a restart. 0: none. */
  growToMib: z.number().int().min(0),
});

/** What is known of a volume that was made. */
export type Facts = z.output<typeof schema>;
export type MadeVolume = Made<Volume, Facts>;

const bytesPerMib = 1024n * 1024n;

/** Undefined for what are no facts. */
export function parseFacts(json: unknown): Facts | undefined {
  const parsed = schema.safeParse(json);
  return parsed.success ? parsed.data : undefined;
}

/** A volume as its backend knows it. */
export function toStorageVolume({ resource: { uid, name, spec } }: Pick<MadeVolume, "resource">): StorageVolume {
  const format = spec.format === "qcow2" ? "qcow2" : "raw";
  return { uid, name, sizeBytes: spec.sizeMib * bytesPerMib, format };
}
