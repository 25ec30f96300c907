import { closeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** A file open in the agent that QEMU inherits under this number. */
export type InheritedFd = number;

/** First descriptor number that a child has after its standard ones. */
export const firstInheritedFd = 3;

/** Descriptors that a child inherits, and the numbers they have there. */
export class InheritedFiles {
  readonly fds: number[] = [];
  readonly #owned = new AsyncDisposableStack();

  /** Owns what is open until {@link close}. */
  keep<Resource extends AsyncDisposable>(resource: Resource): Resource {
    return this.#owned.use(resource);
  }

  /** The child inherits this file, which somebody else closes. */
  share(file: Pick<FileHandle, "fd">): InheritedFd {
    return firstInheritedFd + this.fds.push(file.fd) - 1;
  }

  /** Opens a device for reading and writing; undefined when it is not there or may not be opened. */
  async openIfPossible(path: string): Promise<InheritedFd | undefined> {
    const file = await open(path, "r+").catch(() => undefined);
    return file === undefined ? undefined : this.share(this.keep(file));
  }

  /** Takes an open descriptor over. */
  adopt(fd: number): InheritedFd {
    this.#owned.defer(() => closeSync(fd));
    return firstInheritedFd + this.fds.push(fd) - 1;
  }

  /** Closes the agent's own; the child has copies. */
  async close(): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** The name under which QEMU opens an inherited file by itself, with plain open(2). Its user must be allowed to read the file. */
export function fdPath(fd: InheritedFd): string {
  return `/proc/self/fd/${fd}`;
}
