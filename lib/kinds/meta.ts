import type { ResourceMeta } from "./codecs.js";

/** The metadata of a resource that has none yet. */
export const noMeta: Pick<ResourceMeta, "etag" | "annotations" | "updateTime"> = {
  etag: "",
  annotations: {},
  updateTime: undefined,
};
