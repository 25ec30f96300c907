/** Parts of the file of history: a head, two places for the list of what is in it, and two rings of rows. */
export interface Layout {
  /** Values in a row at most. */
  readonly columns: number;
  readonly listBytes: number;
  readonly rowBytes: number;
  readonly rings: readonly [RingLayout, RingLayout];
  readonly fileBytes: number;
}

/** Rows of one size that are written round and round. */
export interface RingLayout {
  readonly offset: number;
  readonly rows: number;
}

export const headBytes = 4096;
/** Checksum, columns, time, number. */
export const rowHeadBytes = 24;
/** Rows of the two rings: an hour of seconds, a day of minutes. */
const usualRows = [3600, 1440] as const;
const bytesPerColumn = 2;
/** Room in the list for each column; a resource has several, and one name. */
const listBytesPerColumn = 64;
const leastListBytes = 64 * 1024;
const mib = 2 ** 20;

/** How a file of so many MiB is divided; pure. @param ringRows rows of the two rings. */
export function layoutFor(fileMib: number, ringRows: readonly [number, number] = usualRows): Layout {
  const rows = ringRows[0] + ringRows[1];
  const fixed = headBytes + 2 * leastListBytes + rows * rowHeadBytes;
  const perColumn = rows * bytesPerColumn + 2 * listBytesPerColumn;
  // Rows begin where eight bytes do.
  const columns = Math.max(4, Math.floor((fileMib * mib - fixed) / perColumn / 4) * 4);
  const listBytes = leastListBytes + columns * listBytesPerColumn;
  const rowBytes = rowHeadBytes + columns * bytesPerColumn;
  const first = headBytes + 2 * listBytes;
  const second = first + ringRows[0] * rowBytes;
  return {
    ...{ columns, listBytes, rowBytes },
    rings: [
      { offset: first, rows: ringRows[0] },
      { offset: second, rows: ringRows[1] },
    ],
    fileBytes: second + ringRows[1] * rowBytes,
  };
}
