import { randomUUID } from "node:crypto";
import { newEtag } from "../../../lib/kinds/change.js";
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

/** What is seen in a content, as the store keeps it. */
export type StoredContent = Pick<StoredImage, "format" | "virtualSizeBytes" | "architecture">;

/** Whether a text is an architecture, or "". */
export function isArchitecture(text: string): boolean {
  return /^[a-z0-9_]{0,32}$/.test(text);
}

/** The record of a new image. */
export function newImage(said: SaidOfImage, content: StoredContent, scanned: ScannedContent, now: Date): StoredImage {
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
