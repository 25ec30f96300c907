/** A resource of the hub as it is stored, with who made it so. */
export interface StoredRow {
  /** The message, encoded. */
  readonly message: Buffer;
  /** Identity of the caller. */
  readonly changedBy: string;
}

/** The bytes of a row. */
export function encodeRow({
  message,
  changedBy,
}: {
  readonly message: Uint8Array;
  readonly changedBy: string;
}): Buffer {
  return Buffer.from(JSON.stringify({ message: Buffer.from(message).toString("base64"), changedBy }));
}

/** Reads what {@link encodeRow} wrote. */
export function decodeRow(bytes: Uint8Array): StoredRow {
  // Only this module writes rows.
  const row = JSON.parse(Buffer.from(bytes).toString("utf8")) as {
    readonly message: string;
    readonly changedBy: string;
  };
  return { message: Buffer.from(row.message, "base64"), changedBy: row.changedBy };
}
