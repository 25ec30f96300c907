import { createReadStream } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { streamTool } from "../../host/stream-tool.js";
import type { CopyOptions } from "../abilities/copies.js";
import type { DriverInstance } from "../driver-instance.js";
import { ArchiveRoom } from "./archive-room.js";
import type { ImageConfig } from "./container-image.js";
import { archiveCommand, type MergedRoot } from "./merged-root.js";
import { RootArchive } from "./root-archive.js";
import type { IdRange } from "./user-ranges.js";

/** What is archived, and where to. */
export interface SavedRoot {
  readonly root: MergedRoot;
  readonly config: ImageConfig;
  readonly range: IdRange | undefined;
  /** Absolute; nothing is there. */
  readonly path: string;
  /** Refuses a file of so many bytes at most. @throws {ZorError} */
  readonly assertRoom: (bytes: number) => Promise<void>;
}

const blockBytes = 512;
/** Header, attributes and rounding of each file in an archive, at most. */
const perFileBytes = 2048;

/** Directory of what is needed while a container is saved. */
export function savingDirectory({ directory }: DriverInstance): string {
  return join(directory, "saving");
}

/** Writes a whole root filesystem to a new file, durably. @throws {ZorError} On error the caller removes it. */
export async function saveRoot(instance: DriverInstance, saved: SavedRoot, options: CopyOptions): Promise<void> {
  const { root, range, path, config } = saved;
  const { signal, bytesPerSecond } = options;
  const work = savingDirectory(instance);
  const [stage, list] = [join(work, "stage"), join(work, "list")];
  await mkdir(stage, { mode: 0o700 });
  await using file = await open(path, "wx", 0o600);
  const archive = new RootArchive(file);
  const command = archiveCommand(root, { stage, list, range });
  const pace = new Pace(bytesPerSecond, signal);
  const room = new ArchiveRoom(saved.assertRoom);
  let [done, total] = [0, 0];
  const take = async (data: Buffer): Promise<void> => {
    if (total === 0) {
      // All names are in the list before the first of them is archived.
      total = await sizeOfAll(`${list}.sizes`);
      await room.expect(total);
    }
    await room.take(data.length);
    await archive.add(data);
    done += data.length;
    options.progress("writing the image", 20 + Math.min(75, (75 * done) / total));
    await pace.after(data.length);
  };
  await streamTool(command, { signal, take, name: "tar" });
  await archive.finish(config);
  await rm(list, { force: true });
}

/** What an archive of files takes at most that have so many blocks each, by lines of a file. */
async function sizeOfAll(path: string): Promise<number> {
  let total = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    total += Number(line) * blockBytes + perFileBytes;
  }
  return Math.max(1, total);
}

/** Waits so that no more than so many bytes pass a second; 0: any. */
class Pace {
  readonly #bytesPerSecond: number;
  readonly #signal: AbortSignal;
  readonly #beganMs = performance.now();
  #bytes = 0;

  constructor(bytesPerSecond: number, signal: AbortSignal) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#signal = signal;
  }

  async after(bytes: number): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytesPerSecond === 0) return;
    const ahead = (this.#bytes / this.#bytesPerSecond) * 1000 - (performance.now() - this.#beganMs);
    if (ahead > 1) await delay(ahead, undefined, { signal: this.#signal });
  }
}
