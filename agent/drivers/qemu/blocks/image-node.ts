import type { ImageChain } from "../image-chain.js";
import { type BlockEngine, giveFile, slowCommandMs } from "./block-engine.js";

/**
 * Has a QEMU open an image, which is only read, with the images below it: the very files that were inspected, and nothing that their
 * headers name. On error nothing of it is left in use. @throws {ZorError}
 */
export async function addImage(
  engine: BlockEngine,
  { layers }: Pick<ImageChain, "layers">,
  nodeName: string,
): Promise<void> {
  await using given = new AsyncDisposableStack();
  let node: object | null = null;
  for (const { file, format } of layers.toReversed()) {
    const { filename, take } = await giveFile(engine, file);
    // QEMU keeps what it has open.
    given.defer(() => take().catch(() => undefined));
    const below = { driver: "file", filename, "read-only": true };
    node = { driver: format, "read-only": true, file: below, ...(format === "raw" ? {} : { backing: node }) };
  }
  await engine.execute("blockdev-add", { ...node, "node-name": nodeName }, slowCommandMs);
}
