import { z } from "zod";
import { boxSpecSchema } from "../protocol/box-protocol.js";
import { RecordFile } from "../record-file.js";

/** A box as it is stored in boxes.json. */
const boxRecordSchema = z.object({
  spec: boxSpecSchema,
  /** In use, decimal. */
  seed: z.string().regex(/^-?\d{1,20}$/),
  /** When the spec was set, in milliseconds since the epoch: the schedule began then. */
  setMs: z.number(),
});

/** See {@link boxRecordSchema}. */
export type BoxRecord = z.output<typeof boxRecordSchema>;

/** The boxes of a host on disk. */
export type BoxStore = RecordFile<BoxRecord>;

/** The boxes in boxes.json. @param directory the engine's own; it exists. */
export function boxStore(directory: string): BoxStore {
  return new RecordFile({ directory, kind: "boxes", schema: boxRecordSchema });
}
