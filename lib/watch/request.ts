import type { WatchRequest } from "../../proto/gen/zor/v1/watch_service.js";
import { invalidArgument } from "../errors.js";
import { allKinds } from "../kinds/kinds.js";
import { checkKinds } from "../kinds/resource.js";
import { parseName } from "../names.js";

/** What a reader wants to be told of. */
export interface Wants {
  /** Whether resources of a kind. */
  readonly kind: (kind: string) => boolean;
  /** Whether this resource. */
  readonly has: (kind: string, name: string) => boolean;
  /** This resource, and what is below it; "": all. */
  readonly parent: string;
}

/** A request to watch, as it was understood. */
export interface ReadRequest {
  readonly wants: Wants;
  readonly bookmarkMs: number;
}

/** @throws {ZorError} INVALID_ARGUMENT for what makes no sense. */
export function readRequest(request: WatchRequest): ReadRequest {
  return { wants: wantsOf(request), bookmarkMs: 1000 * bookmarkSeconds(request) };
}

function bookmarkSeconds(request: WatchRequest): number {
  if (request.bookmarkSeconds === 0) return 5;
  if (request.bookmarkSeconds >= 1 && request.bookmarkSeconds <= 60) return request.bookmarkSeconds;
  throw invalidArgument("bookmark_seconds", `${request.bookmarkSeconds} is not between 1 and 60`);
}

function wantsOf(request: WatchRequest): Wants {
  const kinds = new Set(request.kinds);
  checkKinds(
    "kinds",
    request.kinds,
    allKinds().map(({ singular }) => singular),
  );
  const { parent } = request;
  if (parent !== "") parseName("parent", parent);
  const kind = (each: string): boolean => kinds.size === 0 || kinds.has(each);
  const below = `${parent}/`;
  return {
    kind,
    has: (each, name) => kind(each) && (parent === "" || name === parent || name.startsWith(below)),
    parent,
  };
}
