import { invalidArgument } from "../../../lib/errors.js";
import type { ReceiveImageRequest } from "../../../proto/gen/zor/agent/v1/image_transfer_service.js";
import { chunkBytes } from "../../images/chunker.js";
import type { StoredChunk } from "../../images/content-scan.js";

/** Reads the list of an image's chunks. @throws {ZorError} INVALID_ARGUMENT for one that is none. */
export async function readList(
  iterator: AsyncIterator<ReceiveImageRequest>,
  count: number,
): Promise<readonly StoredChunk[]> {
  const chunks: StoredChunk[] = [];
  while (chunks.length < count) {
    const step = await iterator.next();
    const message = step.done === true ? undefined : step.value.message;
    if (message?.$case !== "list") throw invalidArgument("list", `ended after ${chunks.length} of ${count} chunks`);
    for (const { sha256, length } of message.value.chunks) {
      const isLast = chunks.length === count - 1;
      const isLong = length >= (isLast ? 1 : chunkBytes.least) && length <= chunkBytes.most;
      // Shorter ones would take more memory than the image does.
      const isGood = sha256.length === 32 && isLong && chunks.length < count;
      if (!isGood) throw invalidArgument("list", "has a chunk that is none");
      chunks.push({ sha256: sha256.toString("hex"), length });
    }
  }
  return chunks;
}
