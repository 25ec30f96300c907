import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { findForeignFormat } from "../foreign-format.js";
import { type OpenImage, openImage } from "../images.js";
import { isQcow2, qcow2HeaderBytes } from "./qcow2.js";

const sectorBytes = 512;

/**
 * Opens what is to lie in a drive. It is read as it is, whatever its content says; what certainly is no medium is refused by name.
 * @throws {ZorError} INVALID_ARGUMENT when it is outside of the image directories, empty or of a format that no drive reads;
 * FAILED_PRECONDITION when it is not there.
 */
export async function openMedium(directories: readonly string[], name: string, field: string): Promise<OpenImage> {
  await using opened = new AsyncDisposableStack();
  const image = opened.use(await openImage(directories, name, { field, accept: ["file"] }));
  const { size } = await image.file.stat();
  const read = async (position: number) => {
    const { buffer, bytesRead } = await image.file.read(Buffer.alloc(qcow2HeaderBytes), 0, qcow2HeaderBytes, position);
    return buffer.subarray(0, bytesRead);
  };
  const start = await read(0);
  const end = await read(Math.max(0, Math.ceil((size - qcow2HeaderBytes) / sectorBytes) * sectorBytes));
  const refuse = (why: string) => invalidArgument(field, `the image ${quote(name)} ${why}`);
  if (size === 0) throw refuse("is empty; its download or copy did not succeed");
  if (isQcow2(start))
    throw refuse("is a qcow2 disk, which no CD-ROM drive reads; use it as a disk, or convert it to raw");
  const foreign = findForeignFormat({ start, end });
  if (foreign !== undefined && !foreign.isMedium) throw refuse(`is ${foreign.is}; ${foreign.remedy}`);
  opened.move();
  return image;
}
