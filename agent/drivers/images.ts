import { type FileHandle, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, sep } from "node:path";
import { status } from "@grpc/grpc-js";
import { invalidArgument, ZorError } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";
import { installationRoot, isPackaged, lastingRoot } from "../../lib/program.js";
import { holdPath, openHeld } from "../host/open-exactly.js";

/** What a resolved image is on disk. */
export type ImageType = "file" | "directory";

/**
 * An open image that lies inside an image directory. Whoever uses it uses `file`, not the path: by then the path may mean another
 * file. Disposing of it closes the file.
 */
export interface OpenImage extends AsyncDisposable {
  /** Absolute path it was opened by, for people and for what other images call it: no part of it was a symbolic link. */
  readonly path: string;
  readonly type: ImageType;
  readonly file: FileHandle;
}

/** How an image is named and what it may be. */
export interface ImageRequest {
  /** Proto path of the request field, for errors. */
  readonly field: string;
  readonly accept: readonly ImageType[];
}

/** The built-in guest image, made by deploy/guest-image/build.sh. */
export interface MicroImage {
  readonly kernel: string;
  readonly initrd: string;
  readonly rootfs: string;
}

/** Beside a file of the image store whose content is not what it was any more; "agent/images" puts it there. */
export const damagedSuffix = ".damaged";

/** The name that means the built-in image. */
export const microName = "micro";

const maxNameLength = 255;

/**
 * Opens an image by its name: a path below one of the agent's image directories, or an absolute path inside one. Links are
 * followed as long as they stay inside. What is opened is what was checked, though somebody swaps the names meanwhile.
 * Whether a file outside exists is not told.
 * @throws {ZorError} INVALID_ARGUMENT when malformed, outside, or not of an accepted type; FAILED_PRECONDITION when it is not there,
 * cannot be read, or was replaced at this very moment.
 */
export async function openImage(
  directories: readonly string[],
  name: string,
  request: ImageRequest,
): Promise<OpenImage> {
  const { field } = request;
  checkName(field, name);
  let outside = isAbsolute(name);
  for (const directory of directories) {
    const root = await realpath(directory).catch(() => undefined);
    if (root === undefined) continue;
    const rest = isAbsolute(name) ? restOf(name, [root, directory]) : name;
    if (rest === undefined) continue;
    assertShown(field, name, rest);
    const candidate = join(root, rest);
    const path = await realpath(candidate).catch(() => undefined);
    if (path === undefined) {
      outside = false;
      continue;
    }
    if (!isInside(root, path)) {
      outside = true;
      continue;
    }
    return await openInside(path, name, request);
  }
  if (outside) throw invalidArgument(field, `${quote(name)} is not inside an image directory of the agent`);
  throw new ZorError({
    reason: "IMAGE_NOT_FOUND",
    code: status.FAILED_PRECONDITION,
    message: `${field}: there is no image ${quote(name)} in the image directories of the host; put it there first`,
    violations: [{ field, description: "no such image on the host" }],
    metadata: { image: name },
  });
}

/**
 * Opens an image by the absolute path that another image names; it may be a link that stays inside.
 * @returns undefined when it is not inside an image directory or is not there.
 */
export async function openImageAt(
  directories: readonly string[],
  wanted: string,
  request: ImageRequest,
): Promise<OpenImage | undefined> {
  const path = await realpath(wanted).catch(() => undefined);
  const roots = await Promise.all(directories.map((directory) => realpath(directory).catch(() => undefined)));
  if (path === undefined || !roots.some((root) => root !== undefined && isInside(root, path))) return undefined;
  return await openInside(path, wanted, request);
}

/** The built-in image; undefined when no image directory holds a whole one. */
export async function findMicroImage(directories: readonly string[]): Promise<MicroImage | undefined> {
  for (const directory of directories) {
    const root = join(directory, microName);
    const image = { kernel: join(root, "vmlinuz"), initrd: join(root, "initrd.img"), rootfs: join(root, "rootfs.tar") };
    // The manifest is written last: without it the image is half built.
    const paths = [...Object.values(image), join(root, "manifest.json")];
    const found = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
    if (found.every((file) => file?.isFile())) return image;
  }
  return undefined;
}

/** What to do where there is no built-in image. */
export const microRemedy: string = isPackaged
  ? `name ${join(lastingRoot(installationRoot), "images")} in imageDirs, or put an image that deploy/guest-image/build.sh of the sources made into /var/lib/zor/images/micro`
  : "build it there with: deploy/guest-image/build.sh";

/** Like {@link findMicroImage}. @throws {ZorError} FAILED_PRECONDITION when it is missing. */
async function getMicroImage(directories: readonly string[], field: string): Promise<MicroImage> {
  const image = await findMicroImage(directories);
  if (image !== undefined) return image;
  throw new ZorError({
    reason: "IMAGE_NOT_FOUND",
    code: status.FAILED_PRECONDITION,
    message: `${field}: the host lacks the built-in guest image; ${microRemedy}`,
    violations: [{ field, description: "the built-in image is not on the host" }],
    metadata: { image: microName },
  });
}

/** Opens one file of the built-in image. @throws {ZorError} FAILED_PRECONDITION when it is missing. */
export async function openMicroFile(
  directories: readonly string[],
  part: keyof MicroImage,
  field: string,
): Promise<OpenImage> {
  const image = await getMicroImage(directories, field);
  const opened = await openImageAt(directories, image[part], { field, accept: ["file"] });
  if (opened !== undefined) return opened;
  throw invalidArgument(field, "the built-in guest image leads out of its image directory");
}

/** What of an absolute path comes after one of the directories; undefined: it is in none of them. */
function restOf(name: string, directories: readonly string[]): string | undefined {
  const around = directories.find((directory) => isInside(directory, name));
  return around === undefined ? undefined : name.slice(around.length);
}

/** Behind hidden names in the store lie its records, and what others are still sending or building. */
function assertShown(field: string, name: string, rest: string): void {
  if (!rest.split("/").some((part) => part.startsWith(".") && part !== ".")) return;
  throw invalidArgument(field, `${quote(name)} has a name in it that begins with "."; such files are no images`);
}

/** Whether a real path lies below a real directory. */
function isInside(root: string, path: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function damaged(image: string, field: string): ZorError {
  return new ZorError({
    reason: "IMAGE_DAMAGED",
    code: status.FAILED_PRECONDITION,
    message: `${field}: the content of the image ${quote(image)} is not what it was when it was stored; import or push it again`,
    violations: [{ field, description: "is damaged" }],
    metadata: { image },
  });
}

function checkName(field: string, name: string): void {
  if (name === "") throw invalidArgument(field, "is empty; name an image in an image directory of the agent");
  if (name.length > maxNameLength || !/^[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(name)) {
    throw invalidArgument(
      field,
      `${quote(name)} is not an image name: use at most ${maxNameLength} printable characters`,
    );
  }
  if (name.split("/").includes("..")) {
    throw invalidArgument(field, `${quote(name)} contains ".."; name an image inside an image directory of the agent`);
  }
}

/** @param path real path inside an image directory, as it was a moment ago. */
async function openInside(path: string, name: string, { field, accept }: ImageRequest): Promise<OpenImage> {
  let file: FileHandle | undefined;
  if ((await stat(`${path}${damagedSuffix}`).catch(() => undefined)) !== undefined) throw damaged(name, field);
  try {
    // Held first and looked at: opening a device or a pipe would already do something to it.
    using held = holdPath(path);
    const found = await stat(held.path);
    const type = found.isFile() ? "file" : found.isDirectory() ? "directory" : undefined;
    if (type === undefined || !accept.includes(type)) {
      throw invalidArgument(field, `${quote(name)} is not a ${accept.join(" or ")}`);
    }
    const opened = await openHeld(held);
    file = opened;
    return { path, type, file: opened, [Symbol.asyncDispose]: () => opened.close() };
  } catch (cause) {
    await file?.close();
    if (cause instanceof ZorError) throw cause;
    throw new ZorError({
      reason: "IMAGE_UNREADABLE",
      code: status.FAILED_PRECONDITION,
      message: `${field}: the image ${quote(name)} cannot be read on the host, or was replaced while it was being opened; try again`,
      violations: [{ field, description: "cannot be opened on the host" }],
      cause,
    });
  }
}
