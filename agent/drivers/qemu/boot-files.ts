import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { microName, type OpenImage, openImage, openMicroFile } from "../images.js";
import { qemuOptionsOf } from "./options.js";

/** Kernel and initial ram disk, open. Disposing of them closes both. */
interface BootFiles extends AsyncDisposable {
  readonly kernel: OpenImage;
  readonly initrd: OpenImage | undefined;
}

/**
 * Opens kernel and initial ram disk for direct boot. QEMU's user opens them anew by descriptor, so they must be readable by all.
 * @throws {ZorError}
 */
export async function openBootFiles(directories: readonly string[], spec: InstanceSpec): Promise<BootFiles> {
  const { kernel, initrd } = qemuOptionsOf(spec);
  const fields = { kernel: "instance.spec.qemu.kernel", initrd: "instance.spec.qemu.initrd" };
  await using opened = new AsyncDisposableStack();
  const find = async (field: string, name: string): Promise<OpenImage> => {
    const image = opened.use(await openImage(directories, name, { field, accept: ["file"] }));
    if (((await image.file.stat()).mode & 0o004) !== 0) return image;
    throw new ZorError({
      reason: "IMAGE_UNREADABLE",
      code: status.FAILED_PRECONDITION,
      message: `${field}: machines run as unprivileged users and cannot read this file; allow it on the host with: chmod o+r`,
      violations: [{ field, description: "is not readable by all users of the host" }],
    });
  };
  const micro = async (part: "kernel" | "initrd"): Promise<OpenImage> =>
    opened.use(await openMicroFile(directories, part, fields.kernel));
  const isMicro = kernel === microName;
  const files = {
    kernel: isMicro ? await micro("kernel") : await find(fields.kernel, kernel),
    initrd: isMicro ? await micro("initrd") : initrd === "" ? undefined : await find(fields.initrd, initrd),
  };
  const kept = opened.move();
  return { ...files, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
