import { fitBlocks } from "../../../lib/capture/packet-blocks.js";
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

/** Copying more than this costs more than a call. */
const largeBytes = 16 * 1024;

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
      for (const together of inParts(blocks)) await this.#write(together);
      return;
    }
    for (const all of blocks) {
      for (let at = 0; at < all.length; ) {
        const rest = all.subarray(at);
        const count = Number.POSITIVE_INFINITY;
        let { bytes } = fitBlocks(rest, { count, bytes: ring.bytes - this.#written });
        if (bytes === 0 && this.#written > this.#headBytes) {
          await this.#next();
          continue;
        }
        // A frame that is larger than a file has one of its own.
        if (bytes === 0) ({ bytes } = fitBlocks(rest, { count: 1, bytes: rest.length }));
        await this.#write(rest.subarray(0, bytes));
        at += bytes;
      }
    }
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

/** What is small is written together, what is large as it is. */
function inParts(blocks: readonly Buffer[]): readonly Buffer[] {
  const parts: Buffer[] = [];
  let small: Buffer[] = [];
  const join = (): void => {
    if (small.length > 0) parts.push(small.length === 1 ? (small[0] as Buffer) : Buffer.concat(small));
    small = [];
  };
  for (const block of blocks) {
    if (block.length < largeBytes) small.push(block);
    else {
      join();
      parts.push(block);
    }
  }
  join();
  return parts;
}
