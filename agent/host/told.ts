import { messageOf } from "../../lib/errors.js";

/** The text with absolute paths cut to their last part: clients learn no paths of the host. Addresses, shares of servers and names of resources stay. */
export function withoutDirectories(text: string): string {
  return text.replace(/(?<![\w.:/])(?:\/[\w.@:+=-]+)+\/([\w.@:+=-]+)/g, "$1");
}

/** What an error says as a part of what everybody is told, viewers too: a status, an event, a capability, another error. */
export function toldOf(error: unknown): string {
  return withoutDirectories(messageOf(error));
}
