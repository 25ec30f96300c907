import { commentTable } from "../../proto/gen/comments.js";

/**
 * What the proto files say of a message, field, enum or value, by full name: "zor.v1.LanSpec.mtu"; empty where they say nothing, as of what
 * is added to the API of this process. The table is large: load this only where it is shown.
 */
export function commentOf(fullName: string): string {
  return commentTable[fullName] ?? "";
}
