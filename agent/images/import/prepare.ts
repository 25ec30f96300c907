import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { type ScannedContent, scanContent } from "../content-scan.js";
import { lookAt, readAt } from "../file-start.js";
import { type ForeignDisk, type ImageContent, type Packing, recognise } from "../image-content.js";
import type { ImageRoom } from "../image-room.js";
import { convertDisk } from "./convert.js";
import { checkForeignHeader, foreignHeaderBytes } from "./foreign-header.js";
import { listOva } from "./ova.js";
import { unpackFile, unpackMember } from "./unpack.js";
import { ArchiveError, type ArchiveMember, listZip } from "./zip.js";

/** A file that can become an image of the store as it is. */
export interface PreparedImage {
  readonly path: string;
  readonly content: ImageContent;
  readonly scanned: ScannedContent;
}

/** What an image is made ready with. */
export interface PrepareOptions {
  /** Directory that nobody else uses; what is made on the way lies in it. */
  readonly directory: string;
  /** The file in it that came. */
  readonly file: string;
  readonly room: Pick<ImageRoom, "largestDiskBytes">;
  /** Bytes that may be written beside what came. */
  readonly spareBytes: number;
  readonly signal: AbortSignal;
  readonly progress: (step: string, percent: number) => void;
}

/** Packed in something packed in something: nobody does that but to hide or to harm. */
const maxSteps = 4;

/**
 * Makes an image of a file that came from anywhere: unpacks, converts, looks at what it is and reads it whole.
 * @throws {ArchiveError} whose message completes "the image …".
 */
export async function prepareImage(options: PrepareOptions): Promise<PreparedImage> {
  const { directory, signal, progress } = options;
  let name = options.file;
  for (let step = 0; ; step += 1) {
    const path = join(directory, name);
    await using file = await openOwn(path, "r");
    const found = recognise(await lookAt(file));
    if (found.is === "refused") throw new ArchiveError(found.why);
    const ova = found.is === "content" && found.content.format === "tar" ? await listOva(file) : undefined;
    if (found.is === "content" && ova === undefined) {
      await assertDiskFits(found.content, options);
      const { size } = await file.stat();
      const onProgress = (done: number): void => progress("reading the image", (100 * done) / size);
      return {
        path,
        content: await asArchive(file, found.content),
        scanned: await scanContent(file, { signal, onProgress }),
      };
    }
    if (step >= maxSteps) throw new ArchiveError("is packed in too many layers; unpack it and import the disk inside");
    const next = `step${step}`;
    await using to = await openOwn(join(directory, next), "w+");
    if (found.is === "disk") await convert(found.format, { from: file, to }, options);
    else await unpack(found.is === "packed" ? found.by : ova, { from: file, to }, options);
    await rm(path, { force: true });
    name = next;
  }
}

interface Files {
  readonly from: FileHandle;
  readonly to: FileHandle;
}

async function unpack(
  by: Packing | readonly ArchiveMember[] | undefined,
  { from, to }: Files,
  { spareBytes, signal, progress }: PrepareOptions,
): Promise<void> {
  const onProgress = (done: number): void => progress(`unpacking, ${Math.floor(done / 1024 ** 2)} MiB`, 50);
  const options = { from, to, maxBytes: spareBytes, signal, onProgress };
  if (typeof by === "string" && by !== "zip") return await unpackFile(by, options);
  const members = typeof by === "object" ? by : await listZip(from);
  const disk = onlyDisk(members, typeof by === "object" ? "an OVA" : "a zip archive");
  if (disk.sizeBytes > spareBytes) throw new ArchiveError("is larger than the host has room for when it is unpacked");
  await unpackMember(disk, options);
}

function onlyDisk(members: readonly ArchiveMember[], what: string): ArchiveMember {
  // What people and systems put beside disks.
  const isBeside = ({ name }: ArchiveMember): boolean =>
    /\.(ovf|mf|cert|txt|md|xml|json|nvram|sha256|md5|asc|sig)$|(^|\/)(__MACOSX|\.)/i.test(name);
  const disks = members.filter((member) => !isBeside(member));
  const [disk] = disks;
  if (disk !== undefined && disks.length === 1) return disk;
  throw new ArchiveError(
    `is ${what} with ${disks.length === 0 ? "no disk" : `${disks.length} files that may be disks`}; unpack it and import each disk as an image`,
  );
}

async function convert(format: ForeignDisk, { from, to }: Files, options: PrepareOptions): Promise<void> {
  const { room, spareBytes, signal, progress } = options;
  const why = checkForeignHeader(format, await readAt(from, 0, foreignHeaderBytes));
  if (why !== undefined) throw new ArchiveError(why);
  await convertDisk({
    ...{ format, from, to, signal, maxBytes: spareBytes },
    maxDiskBytes: await room.largestDiskBytes(),
    onProgress: (percent) => progress(`converting from ${format}`, percent),
  });
}

async function assertDiskFits({ virtualSizeBytes }: ImageContent, { room }: PrepareOptions): Promise<void> {
  const most = await room.largestDiskBytes();
  if (virtualSizeBytes <= most) return;
  throw new ArchiveError(
    `is a disk of ${Math.ceil(virtualSizeBytes / 1024 ** 2)} MiB, more than the ${Math.floor(most / 1024 ** 2)} MiB that one machine may have on this host (disk.instanceMib in the agent's settings)`,
  );
}

/** A tar archive may be a container image: OCI layouts and what docker save writes have these names near their beginning. */
async function asArchive(file: FileHandle, content: ImageContent): Promise<ImageContent> {
  if (content.format !== "tar") return content;
  const start = await readAt(file, 0, 1024 * 1024);
  for (let at = 0; at + 512 <= start.length; at += 512) {
    const name = start.toString("latin1", at, at + 100).replace(/\0.*$/s, "");
    if (/^(\.\/)?(oci-layout|manifest\.json|index\.json|repositories)$/.test(name))
      return { ...content, format: "oci" };
  }
  return content;
}

async function openOwn(path: string, mode: "r" | "w+"): Promise<FileHandle> {
  return await open(path, mode, 0o600);
}
