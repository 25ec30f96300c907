import { type FileHandle, stat } from "node:fs/promises";
import { openExactly } from "../../host/open-exactly.js";
import type { DriverInstance } from "../driver.js";
import { type BaseImage, readBases } from "./base-record.js";
import { type ContentDigests, type FileHint, isSameHint, toHint } from "./content-digests.js";
import { disksDirectory } from "./disks.js";
import { diskName } from "./ids.js";
import { qemuOptionsOf } from "./options.js";

/** What a {@link BaseWatch} needs. */
export interface BaseWatchOptions {
  readonly digests: ContentDigests;
  /** Called once for each image that is not what it was, with words for people. */
  readonly onChange: (instance: DriverInstance, message: string) => void;
  readonly onError: (error: unknown) => void;
}

/** An image below a running machine's persistent disk. */
interface Watched {
  readonly base: BaseImage;
  /** Its number. */
  readonly disk: string;
  /** What stat told when it was last known to be the same. */
  hint: FileHint;
  isTold: boolean;
}

/**
 * Notices that an image below a persistent disk was replaced or written to while its machine runs. Looking is one stat an image;
 * only what differs there is read, one image of one machine at a time and beside everything else.
 */
export class BaseWatch {
  readonly #options: BaseWatchOptions;
  readonly #watched = new Map<string, Promise<readonly Watched[]>>();
  readonly #busy = new Set<string>();
  readonly #closing = new AbortController();
  #reading: Promise<void> = Promise.resolve();

  constructor(options: BaseWatchOptions) {
    this.#options = options;
  }

  /** Looks at the images of a running machine. Never throws and waits for no content. */
  async look(instance: DriverInstance): Promise<void> {
    if (this.#busy.has(instance.uid)) return;
    const watched = await this.#find(instance);
    const changed = await filterChanged(watched);
    if (changed.length === 0 || this.#closing.signal.aborted) return;
    this.#busy.add(instance.uid);
    this.#reading = this.#reading
      .then(() => this.#read(instance, changed))
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#options.onError(error);
      })
      .finally(() => this.#busy.delete(instance.uid));
  }

  /** A machine ended or begins anew: what is below its disks is read again. */
  forget({ uid }: DriverInstance): void {
    this.#watched.delete(uid);
  }

  /** Resolves when nothing is read any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#reading;
  }

  #find(instance: DriverInstance): Promise<readonly Watched[]> {
    const known = this.#watched.get(instance.uid) ?? findWatched(instance);
    this.#watched.set(instance.uid, known);
    return known;
  }

  async #read(instance: DriverInstance, changed: readonly Watched[]): Promise<void> {
    for (const watched of changed) {
      const how = await this.#compare(watched);
      if (how === undefined) continue;
      watched.isTold = true;
      const { base, disk } = watched;
      const message = `the image ${base.name} below its persistent disk ${disk} ${how} while it runs; its disk may be damaged, and it will not start again over this image`;
      this.#options.onChange(instance, message);
    }
  }

  /** What happened to an image; undefined when its content is the same, or is being written. */
  async #compare(watched: Watched): Promise<string | undefined> {
    const { base } = watched;
    let file: FileHandle;
    try {
      file = await openExactly(base.path);
    } catch {
      return "was removed or replaced by something else";
    }
    await using opened = file;
    const found = await this.#options.digests.of(opened, this.#closing.signal);
    if (found === undefined) return undefined;
    if (found.sha256 !== base.sha256 || found.hint.size !== base.hint.size) {
      return found.hint.ino === base.hint.ino ? "was written to" : "was replaced by another";
    }
    watched.hint = found.hint;
    return undefined;
  }
}

async function findWatched(instance: DriverInstance): Promise<readonly Watched[]> {
  const watched: Watched[] = [];
  for (const [index, disk] of qemuOptionsOf(instance.spec).disks.entries()) {
    if (!disk.persistent) continue;
    const name = diskName(disk, index);
    const bases = (await readBases({ directory: disksDirectory(instance.directory), disk: name })) ?? [];
    for (const base of bases) watched.push({ base, disk: name.replace("disk", ""), hint: base.hint, isTold: false });
  }
  return watched;
}

async function filterChanged(watched: readonly Watched[]): Promise<readonly Watched[]> {
  const changed: Watched[] = [];
  for (const each of watched) {
    if (each.isTold) continue;
    const found = await stat(each.base.path, { bigint: true }).catch(() => undefined);
    if (found === undefined || !isSameHint(toHint(found), each.hint)) changed.push(each);
  }
  return changed;
}
