import { randomUUID } from "node:crypto";
import { newEtag } from "../../../lib/kinds/change.js";
import type { ImageContent } from "../../images/image-content.js";
import type { ScannedContent } from "../../images/content-scan.js";
import type { StoredImage } from "../../images/stored-image.js";

/** What people say of a new image. */
export interface SaidOfImage {
  readonly id: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** "": as it can be seen. */
  readonly architecture: string;
  readonly origin: string;
  readonly caller: string;
  readonly uploadKey: string;
}

/** The record of a new image. */
export function newImage(said: SaidOfImage, content: ImageContent, scanned: ScannedContent, now: Date): StoredImage {
  const { id, description, origin, caller, uploadKey } = said;
  const { sha256, sizeBytes } = scanned;
  const time = now.toISOString();
  return {
    ...{ version: 1, id, uid: randomUUID(), sha256, sizeBytes, description, origin, uploadKey },
    ...{ virtualSizeBytes: content.virtualSizeBytes, format: content.format },
    architecture: said.architecture === "" ? content.architecture : said.architecture,
    tags: [...said.tags],
    labels: { ...said.labels },
    annotations: {},
    etag: newEtag(),
    changedBy: caller,
    createTime: time,
    updateTime: time,
  };
}
