import { join } from "node:path";

/**
 * Where the store is: an image directory like others, in which links have the names that images are asked for by ("debian", "debian:12",
 * "sha256:…") and lead to the files below ".content". So drivers find its images as they find all.
 */
export function storeDirectory(state: string): string {
  return join(state, "image-store");
}
