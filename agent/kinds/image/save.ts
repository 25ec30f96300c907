import { randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition } from "../../../lib/errors.js";
import { scanContent } from "../../images/content-scan.js";
import { readAt } from "../../images/file-start.js";
import { arrivalKey } from "../../images/incoming.js";
import { prepareImage, type PreparedImage } from "../../images/import/prepare.js";
import { ArchiveError } from "../../images/import/zip.js";
import type { SavedImage, SavedImages } from "../../images/saved-images.js";
import { parseQcow2Header, qcow2HeaderBytes } from "../../drivers/qemu/qcow2.js";
import { asFailure } from "../../kit/failure.js";
import type { ImportOptions } from "./import-service.js";
import { newImage } from "./new-image.js";

/** With the path of the image that it is only the difference to. */
type PreparedOverlay = PreparedImage & { readonly backing?: string | undefined };

const file = "image";

/** Takes what instances hold into the store: looked at and read whole like any image, since guests wrote it. */
export function savedImages(options: ImportOptions): SavedImages {
  const { images } = options;
  return {
    nameOf: (id) => images.nameOf(id),
    reserve: (id) => images.reserve(id),
    save: (image) => save(options, image),
  };
}

async function save({ images, incoming, room, now }: ImportOptions, saved: SavedImage): Promise<void> {
  const { id, origin, overlay, caller, signal, progress, write } = saved;
  const name = images.nameOf(id);
  const arrival = await incoming.take(arrivalKey("save", randomUUID()), { sizeBytes: 0, resumable: false }, name);
  try {
    await write(join(arrival.directory, file), (step, percent) => progress(step, percent * 0.8));
    const reading = (step: string, percent: number): void => progress(step, 80 + percent / 5);
    const { path, content, scanned, backing }: PreparedOverlay = overlay
      ? await readOverlay(arrival.directory, signal, reading)
      : await prepareImage({ directory: arrival.directory, file, room, spareBytes: 0, signal, progress: reading });
    const said = { id, description: "", tags: [], labels: {}, architecture: "", origin, caller, uploadKey: "" };
    const image = { ...newImage(said, content, scanned, now()), ...(backing === undefined ? {} : { backing }) };
    signal.throwIfAborted();
    await images.add(image, scanned, images.store.isWhole(scanned.sha256) ? undefined : path);
  } catch (error) {
    if (error instanceof ArchiveError) {
      throw failedPrecondition("SAVE_FAILED", name, `${name}: what was saved ${error.message}`);
    }
    throw asFailure(error, name, "save");
  } finally {
    await arrival.drop();
  }
}

/** The driver wrote it just now over an image that it had looked at. */
async function readOverlay(
  directory: string,
  signal: AbortSignal,
  progress: (step: string, percent: number) => void,
): Promise<PreparedOverlay> {
  const path = join(directory, file);
  await using opened = await open(path, "r");
  const { size } = await opened.stat();
  const { backingFile, virtualSizeBytes } = parseQcow2Header(await readAt(opened, 0, qcow2HeaderBytes));
  const onProgress = (done: number): void => progress("reading the image", (100 * done) / size);
  return {
    path,
    content: { format: "qcow2", virtualSizeBytes: Number(virtualSizeBytes), architecture: "" },
    scanned: await scanContent(opened, { signal, onProgress }),
    backing: backingFile,
  };
}
