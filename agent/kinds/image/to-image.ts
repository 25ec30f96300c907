import { Image, ImageState } from "../../../proto/gen/zor/v1/image.js";
import type { DirectoryImage } from "../../images/directory-images.js";
import type { StoredImage } from "../../images/stored-image.js";
import type { StoredSpec } from "../../kit/stored-spec.js";

const maxUsers = 100;

/** What is seen of an image beside what is stored. */
export interface Seen {
  readonly name: string;
  readonly usedBy: readonly string[];
  readonly isDamaged: boolean;
  /** Name of the image that it is only the difference to; "": none. */
  readonly base: string;
}

/** An image of the store as the API has it. */
export function toImage(image: StoredImage, { name, usedBy, isDamaged, base }: Seen): Image {
  const { uid, labels, annotations, description, tags, etag, createTime, updateTime, verifyTime } = image;
  return Image.fromPartial({
    ...{ name, uid, labels, annotations, etag },
    spec: { description, tags },
    createTime: new Date(createTime),
    updateTime: new Date(updateTime),
    status: {
      state: isDamaged ? ImageState.IMAGE_STATE_DAMAGED : ImageState.IMAGE_STATE_READY,
      reason: isDamaged ? "its content is not what it was when it was stored; import or push it again" : "",
      digest: `sha256:${image.sha256}`,
      sizeBytes: BigInt(image.sizeBytes),
      virtualSizeBytes: BigInt(image.virtualSizeBytes),
      format: image.format,
      architecture: image.architecture,
      origin: image.origin,
      base,
      usedBy: usedBy.slice(0, maxUsers),
      verifyTime: verifyTime === undefined ? undefined : new Date(verifyTime),
    },
  });
}

/** What was found out by reading the file of an image in a directory. */
export interface Verified {
  readonly hint: string;
  readonly sha256: string;
  readonly time: Date;
  readonly isDamaged: boolean;
}

/** An image in a directory as the API has it. */
export function directoryToImage(image: DirectoryImage, seen: Seen, verified: Verified | undefined): Image {
  const whole = toImage(
    {
      ...{ version: 1, id: image.id, uid: `directory-${image.id}`, etag: "directory", changedBy: "", uploadKey: "" },
      ...{ sha256: "", sizeBytes: image.sizeBytes, virtualSizeBytes: image.virtualSizeBytes, format: image.format },
      ...{
        architecture: image.architecture,
        origin: "directory",
        description: "",
        tags: [],
        labels: {},
        annotations: {},
      },
      createTime: image.changeTime.toISOString(),
      updateTime: image.changeTime.toISOString(),
    },
    seen,
  );
  const { status } = whole;
  if (status === undefined) return whole;
  const known = verified?.hint === image.hint ? verified : undefined;
  const digest = known === undefined ? "" : `sha256:${known.sha256}`;
  const reason = seen.isDamaged ? "its content has changed although nobody wrote to it; look at the host's disk" : "";
  return { ...whole, status: { ...status, digest, reason, verifyTime: known?.time } };
}

/** What can be changed of an image, as the kit has it. */
export function toSpec(image: StoredImage, name: string): StoredSpec<Image> {
  const { spec, ...resource } = toImage(image, { name, usedBy: [], isDamaged: false, base: "" });
  if (spec === undefined) throw new Error("an image has a specification");
  const { id, changedBy, etag } = image;
  return { id, resource: { ...resource, spec, status: undefined }, changedBy, generation: etag, phase: "ready" };
}
