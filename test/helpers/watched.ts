import type { ResourceTypes } from "../../lib/kinds/codecs.js";
import { isOfKind, unpack } from "../../lib/kinds/resource.js";
import type { WatchResponse } from "../../proto/gen/zor/v1/watch_service.js";

/** The resource of a kind that a step of a watch tells of; undefined: the step is of something else. */
export function watched<K extends keyof ResourceTypes>(
  step: WatchResponse["step"],
  kind: K,
): ResourceTypes[K] | undefined {
  const resource = step?.$case === "upsert" ? unpack(step.value) : undefined;
  return resource !== undefined && isOfKind(resource, kind) ? resource.value : undefined;
}
