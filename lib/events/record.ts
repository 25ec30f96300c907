import { crc32 } from "node:zlib";

/** What a record holds: facts of the segment that it begins, an event, or how far a source was read. */
export type RecordType = "head" | "event" | "cursor";

/** A record of a segment. */
export interface LogRecord {
  readonly type: RecordType;
  /** Position of an event; of the others that of the next event. 0 to 2^48 - 1. */
  readonly position: number;
  readonly payload: Buffer;
}

/** Length (4), checksum of what follows (4), type (1), position (6). */
const recordHeaderBytes = 15;
/** No record is larger: a length beyond it is none. */
const maxPayloadBytes = 256 * 1024;
const types: readonly RecordType[] = ["head", "event", "cursor"];

/** A record as it is written. */
export function encodeRecord({ type, position, payload }: LogRecord): Buffer {
  const record = Buffer.allocUnsafe(recordHeaderBytes + payload.length);
  record.writeUInt32BE(payload.length, 0);
  record.writeUInt8(types.indexOf(type) + 1, 8);
  record.writeUIntBE(position, 9, 6);
  payload.copy(record, recordHeaderBytes);
  record.writeUInt32BE(crc32(record.subarray(8)), 4);
  return record;
}

/** The record at a place; undefined: there is no whole one. */
function decodeRecord(data: Buffer, at: number): LogRecord | undefined {
  if (data.length - at < recordHeaderBytes) return undefined;
  const end = at + recordHeaderBytes + data.readUInt32BE(at);
  if (end > data.length || end - at - recordHeaderBytes > maxPayloadBytes) return undefined;
  const type = types[data.readUInt8(at + 8) - 1];
  if (type === undefined || data.readUInt32BE(at + 4) !== crc32(data.subarray(at + 8, end))) return undefined;
  return { type, position: data.readUIntBE(at + 9, 6), payload: data.subarray(at + recordHeaderBytes, end) };
}

/** All whole records of some bytes, up to the first that is none. */
export function* decodeRecords(data: Buffer): Generator<LogRecord & { readonly at: number; readonly end: number }> {
  for (let at = 0; ; ) {
    const record = decodeRecord(data, at);
    if (record === undefined) return;
    const end = at + recordHeaderBytes + record.payload.length;
    yield { ...record, at, end };
    at = end;
  }
}
