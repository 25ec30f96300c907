import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition } from "../../../lib/errors.js";
import { run, ToolError } from "../../host/exec.js";
import { toldOf } from "../../host/told.js";

/** A file of an image; its name is checked. */
export interface SmallFile {
  readonly name: string;
  readonly content: string | Uint8Array;
}

/** What image is made of which files. */
export interface SmallImage {
  readonly format: "iso" | "fat";
  readonly label: string;
  readonly files: readonly SmallFile[];
}

/** Programs that make images, and their packages. */
const tools = { iso: "xorriso", fat: "mtools" } as const;
const sectorBytes = 512;
/** File systems of FAT have places for boot sector, tables and directory. */
const fatOverheadBytes = 512 * 1024;
/** Each file takes whole clusters. */
const clusterBytes = 8 * 1024;
const minFatSectors = 2880;

/**
 * Makes an image at `path`, in a directory of the agent's own. Names, labels and sizes are checked before.
 * @throws {ZorError} FAILED_PRECONDITION when the program is missing or refuses.
 */
export async function makeSmallImage(
  path: string,
  image: SmallImage,
  options: { readonly signal: AbortSignal; readonly resource: string },
): Promise<void> {
  const directory = `${path}.d`;
  await rm(path, { force: true });
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { mode: 0o700 });
  try {
    for (const { name, content } of image.files) await writeFile(join(directory, name), content, { mode: 0o600 });
    if (image.format === "iso") await makeIso(path, image, directory, options.signal);
    else await makeFat(path, image, directory, options.signal);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw failedPrecondition(
      "IMAGE_NOT_MADE",
      options.resource,
      `${options.resource}: its ${image.label} disk cannot be made: ${toldOf(error)}; if it is missing, install it on the host with: apt-get install ${tools[image.format]}`,
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function makeIso(path: string, { label }: SmallImage, directory: string, signal: AbortSignal): Promise<void> {
  // Joliet and Rock Ridge: names are as they were given, and all can read.
  await run("xorriso", ["-as", "mkisofs", "-quiet", "-o", path, "-V", label, "-J", "-r", directory], { signal });
}

async function makeFat(
  path: string,
  { label, files }: SmallImage,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const bytes = files.reduce((sum, { content }) => sum + Buffer.byteLength(content) + clusterBytes, fatOverheadBytes);
  const sectors = Math.max(minFatSectors, Math.ceil(bytes / sectorBytes));
  const env = { MTOOLS_SKIP_CHECK: "1" };
  await run("mformat", ["-C", "-i", path, "-T", `${sectors}`, "-h", "2", "-s", "18", "-v", label, "::"], {
    signal,
    env,
  });
  await run("mcopy", ["-i", path, ...files.map(({ name }) => join(directory, name)), "::"], { signal, env });
}
