import { type BegunImpairment, StoredBox } from "../../../proto/gen/zor/agent/v1/engine.js";
import { checkedBox, type WantedBox } from "../protocol/box-protocol.js";
import { checkedCodec } from "../protocol/codec.js";
import { RecordFile } from "../record-file.js";

/** A box as it is stored in boxes.json: nothing is missing. */
export interface BoxRecord extends StoredBox {
  readonly spec: WantedBox;
  readonly begun: BegunImpairment;
}

/** The boxes of a host on disk. */
export type BoxStore = RecordFile<BoxRecord>;

/** The boxes in boxes.json. @param directory the engine's own; it exists. */
export function boxStore(directory: string): BoxStore {
  return new RecordFile({ directory, kind: "boxes", codec: checkedCodec(StoredBox, checkedRecord) });
}

function checkedRecord({ spec, begun }: StoredBox): BoxRecord {
  if (begun === undefined || Number.isNaN(begun.setTime?.getTime() ?? Number.NaN)) {
    throw new Error("a box does not say when it was set");
  }
  return { spec: checkedBox(spec), begun };
}
