/** Looked for again each time that so much more comes than was expected. */
const moreBytes = 64 * 1024 * 1024;

/** Room for an archive of which only an estimate is known: names and attributes that a guest chose may take more than that. */
export class ArchiveRoom {
  readonly #assertRoom: (bytes: number) => Promise<void>;
  #left = 0;

  /** @param assertRoom refuses a file that grows by so many bytes. @throws {ZorError} */
  constructor(assertRoom: (bytes: number) => Promise<void>) {
    this.#assertRoom = assertRoom;
  }

  /** @throws {ZorError} when so much does not fit. */
  async expect(bytes: number): Promise<void> {
    await this.#assertRoom(bytes);
    this.#left = bytes;
  }

  /** So many bytes are about to be written. @throws {ZorError} when they were not expected and do not fit. */
  async take(bytes: number): Promise<void> {
    if (bytes > this.#left) await this.expect(Math.max(bytes, moreBytes));
    this.#left -= bytes;
  }
}
