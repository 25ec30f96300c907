import { decodeFrame } from "../../../lib/capture/frames/decode-frame.js";
import type { Frame } from "../../../lib/capture/frames/frame.js";
import { type LogFilter, noLogFilter } from "../log/log-filter.js";
import type { SeenFrame } from "./frame-source.js";

/** Frames, and bytes of them, that are kept; the oldest go. */
const [mostFrames, mostBytes] = [5000, 16 * 1024 * 1024];
/** So many go at once: what is left is moved for each time. */
const goTogether = 500;

/** A frame that is kept; it is read when that is needed. */
export class KeptFrame {
  readonly seen: SeenFrame;
  /** From 1 on, in the order in which they came. */
  readonly number: number;
  #decoded: Frame | undefined;

  constructor(seen: SeenFrame, number: number) {
    this.seen = seen;
    this.number = number;
  }

  get decoded(): Frame {
    this.#decoded ??= decodeFrame(this.seen.data);
    return this.#decoded;
  }

  /** What filters look at. */
  get text(): string {
    const { source, destination, protocol, info } = this.decoded;
    return `${source} ${destination} ${protocol} ${info}`;
  }
}

/** The newest frames of a capture, and those of them that a filter lets through. */
export class FrameBuffer {
  #all: KeptFrame[] = [];
  #shown: KeptFrame[] = [];
  #bytes = 0;
  #count = 0;
  #filter: LogFilter = noLogFilter;

  /** Frames that came, whether they are kept or not. */
  get count(): number {
    return this.#count;
  }

  get all(): readonly KeptFrame[] {
    return this.#all;
  }

  get shown(): readonly KeptFrame[] {
    return this.#filter.text === "" ? this.#all : this.#shown;
  }

  get filter(): LogFilter {
    return this.#filter;
  }

  setFilter(filter: LogFilter): void {
    this.#filter = filter;
    this.#shown = filter.text === "" ? [] : this.#all.filter((each) => filter.passes(each.text));
  }

  add(frames: readonly SeenFrame[]): void {
    for (const seen of frames) {
      this.#count += 1;
      const kept = new KeptFrame(seen, this.#count);
      this.#all.push(kept);
      this.#bytes += seen.block.length;
      if (this.#filter.text !== "" && this.#filter.passes(kept.text)) this.#shown.push(kept);
    }
    this.#trim();
  }

  /** Forgets all of them. */
  clear(): void {
    this.#all = [];
    this.#shown = [];
    this.#bytes = 0;
    this.#count = 0;
  }

  #trim(): void {
    while (this.#all.length > mostFrames + goTogether || (this.#bytes > mostBytes && this.#all.length > 1)) {
      const gone = this.#all.splice(0, Math.min(goTogether, this.#all.length - 1));
      this.#bytes -= gone.reduce((sum, { seen }) => sum + seen.block.length, 0);
    }
    const first = this.#all[0]?.number ?? 0;
    const kept = this.#shown.findIndex(({ number }) => number >= first);
    if (kept !== 0) this.#shown.splice(0, kept < 0 ? this.#shown.length : kept);
  }
}
