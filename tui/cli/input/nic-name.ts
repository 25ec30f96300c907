import { invalidArgument } from "../../../lib/errors.js";
import { parseId } from "../../../lib/names.js";

/** A NIC as written on the command line, and the words after it. */
export interface NicWords {
  /** The instance, as written. */
  readonly instance: string;
  readonly nic: string;
  readonly rest: readonly string[];
}

/**
 * Reads "alpha/vm1 eth0 ..." as well as "alpha/vm1/eth0 ..." (and the full name). @throws {ZorError} INVALID_ARGUMENT when
 * there is no NIC.
 */
export function parseNicWords(words: readonly string[]): NicWords {
  const [first = "", second, ...others] = words;
  const joined =
    /^(hosts\/[^/]*\/instances\/[^/]*)\/nics\/([^/]*)$/.exec(first) ??
    /^((?!hosts\/)[^/]*\/[^/]*)\/([^/]*)$/.exec(first);
  if (joined?.[1] !== undefined && joined[2] !== undefined) {
    return { instance: joined[1], nic: parseId("nic", joined[2]), rest: words.slice(1) };
  }
  if (second === undefined) throw invalidArgument("nic", "say which NIC of the instance, for example eth0");
  return { instance: first, nic: parseId("nic", second), rest: others };
}
