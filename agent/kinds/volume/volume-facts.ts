import { z } from "zod";
import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import type { Made } from "../../kit/made-resources.js";
import type { StorageVolume } from "../../storage/pool-backend.js";

/** Where the content of a volume is, or was, or is to be. */
const placeSchema = z.object({
  /** Id of the pool. */
  pool: z.string(),
  /** What it is called by there, see {@link toStorageVolume}. */
  storageId: z.string(),
  format: z.enum(["raw", "qcow2"]),
  sizeMib: z.number().int().min(0),
});

/** Where the content of a volume is. */
export type Place = z.output<typeof placeSchema>;

const schema = z.object({
  /** A growth that was begun and is not in the specification yet: it is finished after a restart. 0: none. */
  growToMib: z.number().int().min(0),
  /** What its storage is called by; default: its uid, as long as it was never moved. */
  storageId: z.string().optional(),
  /** A move that is under way. */
  move: z
    .object({
      from: placeSchema,
      to: placeSchema,
      /**
       * "copying": the volume is where its specification says. "switching": both places are alike, and if a running machine has the node, or
       * none has it, it is where it moves to. "switched": it is where it moves to.
       */
      phase: z.enum(["copying", "switching", "switched"]),
      node: z.string().optional(),
    })
    .optional(),
  /** Storage that takes its place, or goes: its holder is being restored and decides. */
  replacement: z.object({ place: placeSchema, holder: z.string() }).optional(),
  /** What is left of it elsewhere and could not be removed yet. */
  leftovers: z.array(placeSchema).optional(),
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
export function toStorageVolume({
  resource: { uid, name, spec },
  facts,
}: Pick<MadeVolume, "resource" | "facts">): StorageVolume {
  const format = spec.format === "qcow2" ? "qcow2" : "raw";
  return { uid: facts?.storageId ?? uid, name, sizeBytes: spec.sizeMib * bytesPerMib, format };
}

/** The pools that have anything of it, also while it moves and as long as something is left of it: they must stay; pure. */
export function poolsOf({ resource: { spec }, facts }: Pick<MadeVolume, "resource" | "facts">): readonly string[] {
  const { move, leftovers = [] } = facts ?? {};
  const places = [...leftovers, ...(move === undefined ? [] : [move.from, move.to])];
  return [...new Set([spec.pool, ...places.map(({ pool }) => pool)])];
}

/** Where its specification says that it is; pure. */
export function placeOf(made: MadeVolume): Place {
  const { uid: storageId, format } = toStorageVolume(made);
  const { pool, sizeMib } = made.resource.spec;
  return { pool, storageId, format, sizeMib: Number(sizeMib) };
}

/** A place of a volume as the backend of its pool knows it; pure. */
export function storedAt({ storageId, format, sizeMib }: Place, name: string): StorageVolume {
  return { uid: storageId, name, sizeBytes: BigInt(sizeMib) * bytesPerMib, format };
}
