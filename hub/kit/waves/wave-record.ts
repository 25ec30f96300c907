import type { Caller } from "../../../lib/auth/caller.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { Wave, WaveItem, WaveItemState, type WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import type { Change, StoredRecord } from "../../store/store.js";

export const waveCollection = "waves";

/** A wave as the hub keeps it beside its operation. */
export interface WaveRecord {
  /** Name of its operation. */
  readonly name: string;
  readonly spec: WaveSpec;
  readonly caller: Caller;
  readonly items: WaveItem[];
  paused: boolean;
}

interface Row {
  readonly caller: Caller;
  /** Base64. */
  readonly wave: string;
}

export function newWave(name: string, spec: WaveSpec, caller: Caller): WaveRecord {
  const state = WaveItemState.WAVE_ITEM_STATE_PENDING;
  const items = spec.names.map((each) => WaveItem.fromPartial({ name: each, state }));
  return { name, spec, caller, items, paused: false };
}

/** A wave as people see it. @param operation undefined: it is not known any more. */
export function viewOf({ caller, ...record }: WaveRecord, operation: Operation | undefined): Wave {
  const state = operation?.state ?? OperationState.OPERATION_STATE_UNSPECIFIED;
  return { ...record, items: [...record.items], caller: caller.identity, state };
}

export function putWave(record: WaveRecord): Change {
  const wave = Buffer.from(Wave.encode(viewOf(record, undefined)).finish()).toString("base64");
  const row: Row = { caller: record.caller, wave };
  return {
    ...{ type: "put", collection: waveCollection, key: keyOf(record.name) },
    value: Buffer.from(JSON.stringify(row)),
  };
}

/** Only this module writes these records. */
export function decodeWave({ value }: StoredRecord): WaveRecord | undefined {
  const { caller, wave } = JSON.parse(Buffer.from(value).toString("utf8")) as Row;
  const { name, spec, items, paused } = Wave.decode(Buffer.from(wave, "base64"));
  return spec === undefined ? undefined : { name, spec, items, paused, caller };
}

/** Last segment of the name of its operation. */
export function keyOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** How many are in a state. */
export function countOf(items: readonly WaveItem[], state: WaveItemState): number {
  return items.filter((item) => item.state === state).length;
}
