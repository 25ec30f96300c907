const clusterBits = 16;
const clusterBytes = 2 ** clusterBits;
/** Bytes of the disk that an entry of the first table stands for: a table of clusters. */
const bytesPerEntry = clusterBytes * (clusterBytes / 8);
const magic = 0x514649fb;
const headerBytes = 104;

/**
 * All of an empty qcow2 file (QEMU interop/qcow2.txt): written through an open descriptor, where a tool would open it by name once more; pure.
 * @param sizeBytes size in the guest, a multiple of 512.
 */
export function emptyQcow2(sizeBytes: bigint): Buffer {
  const entries = Number((sizeBytes + BigInt(bytesPerEntry) - 1n) / BigInt(bytesPerEntry));
  const tableClusters = Math.max(1, Math.ceil((entries * 8) / clusterBytes));
  // Header, table of reference counts, its one block, then the first table.
  const clusters = 3 + tableClusters;
  const file = Buffer.alloc(clusters * clusterBytes);
  file.writeUInt32BE(magic, 0);
  file.writeUInt32BE(3, 4);
  file.writeUInt32BE(clusterBits, 20);
  file.writeBigUInt64BE(sizeBytes, 24);
  file.writeUInt32BE(entries, 36);
  file.writeBigUInt64BE(BigInt(3 * clusterBytes), 40);
  file.writeBigUInt64BE(BigInt(clusterBytes), 48);
  file.writeUInt32BE(1, 56);
  // Reference counts of 2^4 bits.
  file.writeUInt32BE(4, 96);
  file.writeUInt32BE(headerBytes, 100);
  file.writeBigUInt64BE(BigInt(2 * clusterBytes), clusterBytes);
  for (let cluster = 0; cluster < clusters; cluster++) file.writeUInt16BE(1, 2 * clusterBytes + 2 * cluster);
  return file;
}
