import {
  interfaceDescription,
  interfaceStatistics,
  type PcapngInterface,
  type PcapngStatistics,
  sectionHeader,
} from "../../../lib/capture/pcapng.js";
import type { CaptureSink } from "./capture-file.js";

/** How frames are written. */
export interface PcapngOutputOptions {
  /** Opens the next file, the first with 1. */
  readonly open: (number: number) => Promise<CaptureSink>;
  /** Removes a file that there is no room for any more. */
  readonly remove: (number: number) => Promise<void>;
  /** Files of this size, so many of which are kept; undefined: one file without bound. */
  readonly ring: { readonly files: number; readonly bytes: number } | undefined;
  readonly application: string;
  readonly comment: string;
}

/** Writes pcapng, to one file or to a ring of files, each of which can be read by itself. */
export class PcapngOutput {
  readonly #options: PcapngOutputOptions;
  readonly #interfaces: PcapngInterface[] = [];
  #sink: CaptureSink | undefined;
  #number = 0;
  #written = 0;

  constructor(options: PcapngOutputOptions) {
    this.#options = options;
  }

  /** Begins the first file, so that whoever reads sees that there is one. */
  async begin(): Promise<void> {
    await this.#next();
  }

  /** Adds an interface and resolves to its number. */
  async addInterface(added: PcapngInterface): Promise<number> {
    this.#interfaces.push(added);
    await this.#write(interfaceDescription(added));
    return this.#interfaces.length - 1;
  }

  /** Writes whole packet blocks. */
  async packets(blocks: readonly Buffer[]): Promise<void> {
    const { ring } = this.#options;
    if (ring === undefined) {
      await this.#write(blocks.length === 1 ? (blocks[0] as Buffer) : Buffer.concat(blocks));
      return;
    }
    let together: Buffer[] = [];
    let bytes = 0;
    for (const block of blocks) {
      if (this.#written + bytes + block.length > ring.bytes && this.#written + bytes > this.#headBytes) {
        await this.#write(Buffer.concat(together));
        [together, bytes] = [[], 0];
        await this.#next();
      }
      together.push(block);
      bytes += block.length;
    }
    await this.#write(Buffer.concat(together));
  }

  /** Writes what became of the interfaces and closes the file. */
  async end(statistics: readonly PcapngStatistics[]): Promise<void> {
    for (const each of statistics) await this.#write(interfaceStatistics(each));
    await this.#sink?.close();
    this.#sink = undefined;
  }

  #headBytes = 0;

  async #next(): Promise<void> {
    const { open, remove, ring, application, comment } = this.#options;
    await this.#sink?.close();
    this.#number += 1;
    this.#sink = await open(this.#number);
    if (ring !== undefined && this.#number > ring.files) await remove(this.#number - ring.files);
    this.#written = 0;
    const head = [sectionHeader({ application, comment }), ...this.#interfaces.map(interfaceDescription)];
    await this.#write(Buffer.concat(head));
    this.#headBytes = this.#written;
  }

  async #write(data: Buffer): Promise<void> {
    if (data.length === 0) return;
    this.#written += data.length;
    await this.#sink?.write(data);
  }
}
