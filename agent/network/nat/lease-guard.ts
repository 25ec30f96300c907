import { mkdir, readdir, readFile, readlink, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readIfExists, writeFileAtomic } from "../../../lib/files.js";

/** What a program has of a file that it opened once, whatever became of the file's name. */
interface Held {
  readonly inode: number;
  readonly text: string;
}

/** As dnsmasq writes them: "EXPIRY MAC ADDRESS NAME CLIENT", and "duid ID". It is strict of form alone: guests say what is in them. */
const line = /^(?:\d{1,12} \S* [0-9a-f.:]+ |duid )/i;

/** Whether a text holds nothing that dnsmasq would not write; pure. */
export function isLeaseFile(text: string): boolean {
  return text.split("\n").every((each) => each === "" || line.test(each));
}

/**
 * Watches over the file in which dnsmasq keeps leases. dnsmasq opens it once: what somebody does to the file's name it never sees, and
 * writes on into one that nobody finds any more. What it forgot when it is started again it would give to others.
 */
export class LeaseGuard {
  /** As it was last when it was whole. */
  #known = "";
  /** What did not look whole: dnsmasq may have been writing it. */
  #suspect: string | undefined;
  #isLost = false;

  /** What is wrong with the file, for people; "": nothing. Call now and then. @param pid dnsmasq's; 0: it does not run. */
  async look(file: string, pid: number): Promise<string> {
    const inode = await inodeOf(file);
    const held = await heldBy(pid, file);
    // Looked at once more: one that is being started has just made the file.
    if (held !== undefined && held.inode !== inode && held.inode !== (await inodeOf(file))) {
      if (isLeaseFile(held.text)) this.#known = held.text;
      this.#isLost = true;
      return "its file of leases was removed or replaced";
    }
    const text = await readIfExists(file);
    if (text === undefined || isLeaseFile(text)) {
      this.#known = text ?? this.#known;
      this.#suspect = undefined;
      if (held !== undefined) this.#isLost = false;
      return "";
    }
    const isSame = this.#suspect === text;
    this.#suspect = text;
    this.#isLost = isSame && this.#known !== "";
    return this.#isLost ? "its file of leases was overwritten" : "";
  }

  /** It has to be given back: dnsmasq is to be stopped before, and started after that. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Gives back what was lost. Call while dnsmasq does not run. */
  async restore(file: string): Promise<void> {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const text = await readIfExists(file);
    const isWhole = text !== undefined && isLeaseFile(text);
    if (this.#known !== "" && (this.#isLost || !isWhole)) await writeFileAtomic(file, this.#known);
    this.#isLost = false;
    this.#suspect = undefined;
  }

  /** The file was changed on purpose while dnsmasq did not run. */
  changed(text: string): void {
    this.#known = text;
  }
}

async function inodeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ ino }) => ino,
    () => 0,
  );
}

/** Undefined: it does not run, or has no such file. */
async function heldBy(pid: number, file: string): Promise<Held | undefined> {
  if (pid <= 0) return undefined;
  const directory = `/proc/${pid}/fd`;
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    const target = await readlink(path).catch(() => "");
    if (target !== file && target !== `${file} (deleted)`) continue;
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text !== undefined) return { inode: await inodeOf(path), text };
  }
  return undefined;
}
