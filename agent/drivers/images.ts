import { realpath, stat } from "node:fs/promises";
import { isAbsolute, join, sep } from "node:path";
import { status } from "@grpc/grpc-js";
import { invalidArgument, ZorError } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";

/** What a resolved image is on disk. */
export type ImageType = "file" | "directory";

/** An image that lies inside an image directory. */
export interface ResolvedImage {
  /** Real absolute path: no part of it is a symbolic link. */
  readonly path: string;
  readonly type: ImageType;
  readonly sizeBytes: number;
}

/** The built-in guest image, made by deploy/guest-image/build.sh. */
export interface MicroImage {
  readonly kernel: string;
  readonly initrd: string;
  readonly rootfs: string;
}

/** The name that means the built-in image. */
export const microName = "micro";

const maxNameLength = 255;

/**
 * Resolves the name of an image: a path below one of the agent's image directories, or an absolute path inside one. Links are
 * followed first, so that none leads out. Whether a file outside exists is not told.
 * @param options.field proto path of the request field, for errors.
 * @throws {ZorError} INVALID_ARGUMENT when malformed, outside, or not of an accepted type; FAILED_PRECONDITION when it is not there.
 */
export async function resolveImage(
  directories: readonly string[],
  name: string,
  options: { readonly field: string; readonly accept: readonly ImageType[] },
): Promise<ResolvedImage> {
  const { field } = options;
  checkName(field, name);
  let outside = isAbsolute(name);
  for (const directory of directories) {
    const root = await realpath(directory).catch(() => undefined);
    if (root === undefined) continue;
    const candidate = isAbsolute(name) ? name : join(root, name);
    const path = await realpath(candidate).catch(() => undefined);
    if (path === undefined) {
      if (isInside(root, candidate)) outside = false;
      continue;
    }
    if (!isInside(root, path)) {
      outside = true;
      continue;
    }
    return await toResolved(path, name, options);
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

/** Like {@link findMicroImage}. @throws {ZorError} FAILED_PRECONDITION when it is missing. */
export async function getMicroImage(directories: readonly string[], field: string): Promise<MicroImage> {
  const image = await findMicroImage(directories);
  if (image !== undefined) return image;
  throw new ZorError({
    reason: "IMAGE_NOT_FOUND",
    code: status.FAILED_PRECONDITION,
    message: `${field}: the host lacks the built-in guest image; build it there with: deploy/guest-image/build.sh`,
    violations: [{ field, description: "the built-in image is not built on the host" }],
    metadata: { image: microName },
  });
}

/** Whether a real path lies below a real directory. */
export function isInside(root: string, path: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
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

async function toResolved(
  path: string,
  name: string,
  options: { readonly field: string; readonly accept: readonly ImageType[] },
): Promise<ResolvedImage> {
  const found = await stat(path);
  const type = found.isFile() ? "file" : found.isDirectory() ? "directory" : undefined;
  if (type === undefined || !options.accept.includes(type)) {
    throw invalidArgument(options.field, `${quote(name)} is not a ${options.accept.join(" or ")}`);
  }
  return { path, type, sizeBytes: found.size };
}
