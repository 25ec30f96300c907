import type { Caller } from "../../../lib/auth/caller.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { Wave, WaveItem, WaveItemState, type WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import type { Change, StoredRecord } from "../../store/store.js";
import { firstBatch } from "./budget.js";

export const waveCollection = "waves";

/** What of a wave changes besides its resources. */
export interface WaveProgress {
  paused: boolean;
  /** For people; empty when it is not paused. */
  pauseReason: string;
  /** How many of the first may be begun. */
  released: number;
  /** How many of those that failed count no longer. */
  forgiven: number;
  /** Somebody has cancelled it: it begins no other, in no run of the hub. */
  cancelled: boolean;
}

/** A wave as the hub keeps it beside its operation. */
export interface WaveRecord extends WaveProgress {
  /** Name of its operation. */
  readonly name: string;
  readonly spec: WaveSpec;
  readonly caller: Caller;
  readonly items: WaveItem[];
}

interface Row {
  readonly caller: Caller;
  /** Base64. */
  readonly wave: string;
  readonly cancelled?: boolean;
}

export function newWave(name: string, spec: WaveSpec, caller: Caller): WaveRecord {
  const state = WaveItemState.WAVE_ITEM_STATE_PENDING;
  const items = spec.names.map((each) => WaveItem.fromPartial({ name: each, state }));
  const progress = { paused: false, pauseReason: "", released: firstBatch(spec), forgiven: 0, cancelled: false };
  return { name, spec, caller, items, ...progress };
}

/** A wave as people see it. @param operation undefined: it is not known any more. */
export function viewOf({ caller, cancelled: _, ...record }: WaveRecord, operation: Operation | undefined): Wave {
  const state = operation?.state ?? OperationState.OPERATION_STATE_UNSPECIFIED;
  return { ...record, items: [...record.items], caller: caller.identity, state };
}

export function putWave(record: WaveRecord): Change {
  const wave = Buffer.from(Wave.encode(viewOf(record, undefined)).finish()).toString("base64");
  const { caller, cancelled } = record;
  const row: Row = { caller, wave, ...(cancelled ? { cancelled } : {}) };
  return {
    ...{ type: "put", collection: waveCollection, key: keyOf(record.name) },
    value: Buffer.from(JSON.stringify(row)),
  };
}

/** Only this module writes these records. */
export function decodeWave({ value }: StoredRecord): WaveRecord | undefined {
  const { caller, wave, cancelled = false } = JSON.parse(Buffer.from(value).toString("utf8")) as Row;
  const { spec, state: _, ...stored } = Wave.decode(Buffer.from(wave, "base64"));
  if (spec === undefined) return undefined;
  // A hub of an earlier version has not kept how far the batches are.
  return { ...stored, spec, caller, cancelled, released: stored.released || firstBatch(spec) };
}

/** Last segment of the name of its operation. */
export function keyOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** How many are in a state. */
export function countOf(items: readonly WaveItem[], state: WaveItemState): number {
  return items.filter((item) => item.state === state).length;
}
