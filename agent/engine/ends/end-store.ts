import { invalidFields } from "../../../lib/errors.js";
import { StoredEnd } from "../../../proto/gen/zor/agent/v1/engine.js";
import { checkedCodec } from "../protocol/codec.js";
import { checkWholeEnd } from "../protocol/end-check.js";
import { RecordFile } from "../record-file.js";
import type { EndRecord } from "./end-record.js";

const secretBytes = 32;

/** The ends of a host on disk. */
export type EndStore = RecordFile<EndRecord>;

/** An end as it is stored. Reading throws when it is damaged. */
export const endRecordCodec = checkedCodec(StoredEnd, checkedRecord);

/** The ends in ends.json. @param directory the engine's own; it exists. */
export function endStore(directory: string): EndStore {
  return new RecordFile({ directory, kind: "ends", codec: endRecordCodec });
}

function checkedRecord({ spec, ...kept }: StoredEnd): EndRecord {
  if (spec === undefined) throw new Error("an end has no spec");
  const violations = checkWholeEnd("spec", spec);
  if (violations.length > 0) throw invalidFields(violations, spec.link);
  const secrets = [...kept.tickets.map(({ secret }) => secret), ...kept.offered];
  const paired = kept.pairing.length === 0 ? [] : [kept.pairing];
  const begun = kept.begun === undefined ? [] : [kept.begun.setTime];
  const times = [...kept.tickets.map(({ expireTime }) => expireTime), ...begun];
  const damaged = [...secrets, ...paired].some((secret) => secret.length !== secretBytes);
  if (damaged) throw new Error(`a secret of ${spec.link} is not of ${secretBytes} bytes`);
  if (times.some((time) => Number.isNaN(time?.getTime() ?? Number.NaN)))
    throw new Error(`a time of ${spec.link} is none`);
  return { ...kept, spec };
}
