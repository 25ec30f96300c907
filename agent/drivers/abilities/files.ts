import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";

/** An entry of a file system: of a guest's, so any of it may be anything. */
export interface FileEntry {
  /** Name in its directory, or the path that was asked for. */
  readonly name: Buffer;
  /** As st_mode of stat(2). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since 1970. */
  readonly modified: number;
  /** Where a symbolic link points; empty for anything else. */
  readonly target: Buffer;
}

/** How full a file system is. */
export interface FileSystemUsage {
  readonly device: string;
  readonly type: string;
  readonly label: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes. */
  readonly free: number;
  /** Why nothing is known; "": it is. */
  readonly reason: string;
}

/** A file that is put into the place of another one, or beside. */
export interface NewFile {
  readonly size: number;
  /** Permissions of one that is not there yet. */
  readonly mode: number;
  /** Its name when the path is a directory; "": then it is refused. */
  readonly base: string;
  /** What must still be there; undefined: anything may be. */
  readonly expected: Pick<FileEntry, "size" | "modified"> | undefined;
}

/**
 * The files of an instance, held open. Paths are absolute; links in them lead nowhere but into the same file systems, and nothing but plain
 * files is ever opened for its content. @throws {ZorError} from each, with the path, when there is no such file or it is of another kind.
 */
export interface OpenFiles extends AsyncDisposable {
  /** An entry. @param follow a link at the end of the path is followed. */
  stat(path: string, follow: boolean): Promise<FileEntry>;
  /** What is in a directory, in no order. */
  list(path: string): AsyncIterable<FileEntry>;
  /** The content of a file. */
  read(path: string): AsyncIterable<Buffer>;
  /** What is in a directory, as a tar archive whose names begin with "./". */
  pack(path: string): AsyncIterable<Buffer>;
  usage(): AsyncIterable<FileSystemUsage>;
  /**
   * Writes a file, which gets its name when it is whole. One that is there gives it owner, mode and extended attributes.
   * @throws {ZorError} FAILED_PRECONDITION when what is there is not what is expected.
   */
  write(path: string, file: NewFile, content: AsyncIterable<Buffer>): Promise<void>;
  /** Unpacks an archive in a directory. */
  unpack(path: string, archive: AsyncIterable<Buffer>): Promise<void>;
}

/** What of an instance is opened, and for what. */
export interface FilesRequest extends CallOptions {
  /** Name of the only disk that is looked at; "": all. */
  readonly disk: string;
  /** The file system; "": those that belong together. */
  readonly filesystem: string;
  /** Only {@link OpenFiles.usage} will be asked for: no file system has to be chosen. */
  readonly isOverview: boolean;
  /** It is written to; it does not run. */
  readonly writable: boolean;
  /** Told what is being done: it may take its time. */
  readonly onStage: (stage: string) => void;
}

/** Drivers whose instances' files can be read from outside, running or not, and written while they do not run. */
export interface HasFiles {
  /** One that runs is read while others change it, even while it is stopped. Default: nothing changes it meanwhile. */
  readonly isSharedWhileRunning?: boolean;

  /**
   * Opens the files; nothing else changes the instance meanwhile. One that runs is neither disturbed nor written to.
   * On error, and after it was disposed of, nothing of it is left.
   * @param handle undefined: it does not run. @throws {ZorError}
   */
  openFiles(instance: DriverInstance, handle: RecoveryHandle | undefined, request: FilesRequest): Promise<OpenFiles>;
}
