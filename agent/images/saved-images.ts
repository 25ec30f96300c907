/** A new image of what an instance holds. */
export interface SavedImage {
  readonly id: string;
  /** Where it is from, for people: "saved from hosts/alpha/instances/vm1". */
  readonly origin: string;
  /** Only the difference to another image of the host, which the file names. */
  readonly overlay: boolean;
  readonly caller: string;
  readonly signal: AbortSignal;
  readonly progress: (step: string, percent: number) => void;
  /** Writes the file, durably. @param path absolute; nothing is there. */
  readonly write: (path: string, progress: (step: string, percent: number) => void) => Promise<void>;
}

/** Takes what instances hold into the image store, for the kinds that hold something. */
export interface SavedImages {
  nameOf(id: string): string;
  /** Keeps an id for an image that comes; disposing of it lets go. @throws {ZorError} ALREADY_EXISTS */
  reserve(id: string): Disposable;
  /** Makes an image whose id was {@link reserve}d. On error or abort nothing of it is left. @throws {ZorError} */
  save(image: SavedImage): Promise<void>;
}
