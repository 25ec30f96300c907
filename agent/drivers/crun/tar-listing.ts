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
/** Of a line: the longest path, escaped, with what it links to. */
const maxLine = 64 * 1024;

/**
 * Checks the listing of an archive, made with `tar --list --verbose --numeric-owner --quoting-style=escape`, line by line as it comes,
 * before it is extracted as root. GNU tar itself strips such names and defers links that lead out; an archive that holds any is refused
 * as a whole, because nothing good is in it.
 */
export class TarListing {
  readonly #field: string;
  readonly #what: string;
  readonly #top = new Set<string>();
  #members = 0;
  #bytes = 0;
  #hasWhiteouts = false;
  #rest = "";

  /** @param what what people know it by. */
  constructor(field: string, what = "the archive") {
    this.#field = field;
    this.#what = what;
  }

  /** Takes more of the listing, which need not end with a line. @throws {ZorError} INVALID_ARGUMENT */
  add(text: string): void {
    const lines = `${this.#rest}${text}`.split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > maxLine) throw invalidArgument(this.#field, `${this.#what} holds a name that is too long`);
    for (const line of lines) this.#check(line);
  }

  /** The listing has ended. @throws {ZorError} INVALID_ARGUMENT */
  finish(): TarSummary {
    this.#check(this.#rest);
    if (this.#members === 0) throw invalidArgument(this.#field, `${this.#what} is empty`);
    const [members, bytes, top, hasWhiteouts] = [this.#members, this.#bytes, this.#top, this.#hasWhiteouts];
    return { members, bytes, top, hasWhiteouts };
  }

  #check(line: string): void {
    if (line === "") return;
    const [field, what] = [this.#field, this.#what];
    // "-rw-r--r-- 0/0   1234 2024-01-01 00:00 name -> target"
    const match = /^([-dlhbcpsCDMNSV])\S* +\S+ +(\d+(?:,\d+)?) +\S+ +\S+ (.*)$/.exec(line);
    const [, type = "", size = "", rest = ""] = match ?? [];
    if (match === null) throw invalidArgument(field, `${what} holds something unknown: ${quote(line)}`);
    this.#members += 1;
    if (this.#members > maxMembers) throw invalidArgument(field, `${what} holds more than ${maxMembers} files`);
    // Device files have "major,minor" there.
    if (!size.includes(",")) this.#bytes += Number(size);
    const [name = "", target] = split(rest, type);
    checkPath(field, name, what);
    this.#hasWhiteouts ||= /(^|\/)\.wh\./.test(name);
    if (type === "h" && target !== undefined) checkPath(field, target, what);
    const first = name.replace(/^(\.\/+)+/, "").split("/")[0];
    const isNew = first !== undefined && first !== "" && first !== "." && this.#top.size < maxTop;
    // Not a piece of the line: that would keep all of what came with it.
    if (isNew && !this.#top.has(first)) this.#top.add(Buffer.from(first).toString());
  }
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
