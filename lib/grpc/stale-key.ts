/**
 * Key of the trailing metadata of an answer that may be old, because a host does not answer: says which, and when it was last heard.
 * Percent-encoded UTF-8.
 */
export const staleKey = "zor-stale";
