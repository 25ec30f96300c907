import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

/** What is in a tar archive. */
export interface TarSummary {
  readonly members: number;
  readonly bytes: number;
  /** First segments of the names, up to 64 of them. */
  readonly top: ReadonlySet<string>;
  /** It holds names that mean something is gone (".wh."). */
  readonly hasWhiteouts: boolean;
}

/** Most members of a root filesystem archive. */
const maxMembers = 2_000_000;
const maxTop = 64;

/**
 * Checks the listing of an archive, made with `tar --list --verbose --numeric-owner --quoting-style=escape`, before it is
 * extracted as root. GNU tar itself strips such names and defers links that lead out; an archive that holds any is refused
 * as a whole, because nothing good is in it.
 * @param what what people know it by.
 * @throws {ZorError} INVALID_ARGUMENT
 */
export function checkTarListing(field: string, listing: string, what = "the archive"): TarSummary {
  let [members, bytes] = [0, 0];
  let hasWhiteouts = false;
  const top = new Set<string>();
  for (const line of listing.split("\n")) {
    if (line === "") continue;
    // "-rw-r--r-- 0/0   1234 2024-01-01 00:00 name -> target"
    const match = /^([-dlhbcpsCDMNSV])\S* +\S+ +(\d+(?:,\d+)?) +\S+ +\S+ (.*)$/.exec(line);
    const [, type = "", size = "", rest = ""] = match ?? [];
    if (match === null) throw invalidArgument(field, `${what} holds something unknown: ${quote(line)}`);
    members += 1;
    // Device files have "major,minor" there.
    if (!size.includes(",")) bytes += Number(size);
    const [name = "", target] = split(rest, type);
    checkPath(field, name, what);
    hasWhiteouts ||= /(^|\/)\.wh\./.test(name);
    if (type === "h" && target !== undefined) checkPath(field, target, what);
    const first = name.replace(/^(\.\/+)+/, "").split("/")[0];
    if (first !== undefined && first !== "" && first !== "." && top.size < maxTop) top.add(first);
  }
  if (members === 0) throw invalidArgument(field, `${what} is empty`);
  if (members > maxMembers) throw invalidArgument(field, `${what} holds more than ${maxMembers} files`);
  return { members, bytes, top, hasWhiteouts };
}

function split(rest: string, type: string): readonly string[] {
  if (type === "l") return rest.split(" -> ");
  if (type === "h") return rest.split(" link to ");
  return [rest];
}

function checkPath(field: string, path: string, what: string): void {
  if (path.startsWith("/")) throw invalidArgument(field, `${what} holds an absolute path: ${quote(path)}`);
  if (path.split("/").includes("..")) throw invalidArgument(field, `${what} holds a path with "..": ${quote(path)}`);
}
