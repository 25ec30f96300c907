import { type EndRecord, endRecordSchema } from "../protocol/end-record.js";
import { RecordFile } from "../record-file.js";

/** The ends of a host on disk. */
export type EndStore = RecordFile<EndRecord>;

/** The ends in ends.json. @param directory the engine's own; it exists. */
export function endStore(directory: string): EndStore {
  return new RecordFile({ directory, kind: "ends", schema: endRecordSchema });
}
