import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { VolumeSpec } from "../../../proto/gen/zor/v1/volume.js";
import { type ImageChain, openChain } from "../../drivers/qemu/image-chain.js";
import { storeDirectory } from "../../images/store-paths.js";
import type { AgentContext } from "../../parts.js";
import { type CopyOptions, copyImage } from "../../storage/copy-volume.js";
import { openSource } from "../../storage/open-volume.js";
import type { StorageVolume } from "../../storage/pool-backend.js";
import type { UsablePool } from "../../storage/pools.js";
import { maxSizeMib } from "./volume-check.js";

type Context = Pick<AgentContext, "settings" | "state">;

/** A volume whose storage was made, and what it begins with. */
type Filled = UsablePool & { readonly volume: StorageVolume; readonly image: string };

const field = "volume.spec.image";
const bytesPerMib = 1024n * 1024n;

/** A specification with the size of its image, where it says none. @throws {ZorError} also when the image is larger, or none that a disk may have. */
export async function withImageSize(context: Context, spec: VolumeSpec, name: string): Promise<VolumeSpec> {
  const { image, sizeMib } = spec;
  if (image === "") return spec;
  await using chain = await open(context, image);
  const needsMib = (chain.virtualSizeBytes + bytesPerMib - 1n) / bytesPerMib;
  const wrong = (path: string, description: string): Error => invalidFields([{ field: path, description }], name);
  if (needsMib > maxSizeMib) {
    throw wrong(field, `the image ${quote(image)} is a disk of ${needsMib} MiB; volumes have at most ${maxSizeMib}`);
  }
  if (sizeMib === 0n) return { ...spec, sizeMib: needsMib };
  if (sizeMib >= needsMib) return spec;
  const remedy = "make it larger, or leave the size out";
  throw wrong("volume.spec.size_mib", `${sizeMib} is less than the ${needsMib} MiB of ${quote(image)}; ${remedy}`);
}

/** Copies the image into an empty volume. On error or abort the volume is of no use. @throws {ZorError} */
export async function fillVolume(
  context: Context,
  { pool, backend, volume, image }: Filled,
  options: Pick<CopyOptions, "signal" | "progress">,
): Promise<void> {
  await using chain = await open(context, image);
  const { name, sizeBytes } = volume;
  if (chain.virtualSizeBytes > sizeBytes) {
    const why = `the image ${quote(image)} was replaced by a larger one meanwhile`;
    throw failedPrecondition("IMAGE_CHANGED", name, `${name}: ${why}; try again`);
  }
  await using opened = await openSource(await backend.source(pool, volume), volume, "r+");
  await copyImage(chain, opened, { state: context.state, resource: name, bytesPerSecond: 0, ...options });
}

/** The image, looked at as those of disks are. */
function open({ settings: { imageDirs }, state }: Context, image: string): Promise<ImageChain> {
  return openChain([storeDirectory(state), ...imageDirs], image, field);
}
