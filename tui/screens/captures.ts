import { messageOf } from "../../lib/errors.js";
import { counted } from "../../lib/words.js";
import type { Model } from "../kit/model.js";
import { shortName } from "../kit/resource-name.js";

/** What captures the frames of a resource into a file here until the signal aborts. @throws {ZorError} */
export type Capturer = (
  name: string,
  options: {
    readonly signal: AbortSignal;
    readonly onNotice: (text: string) => void;
    readonly onProgress: (progress: Captured) => void;
  },
) => Promise<Captured>;

/** What a capture has come to. */
export interface Captured {
  /** Path of the file. */
  readonly path: string;
  readonly packets: number;
  /** Lost in the kernel of the host, because there was no room. */
  readonly dropped: number;
  /** Captured and not read in time. */
  readonly unread: number;
}

interface Running {
  readonly ending: AbortController;
  progress: Captured | undefined;
}

/** Singulars of the kinds that frames pass. */
export const capturedKinds: ReadonlySet<string> = new Set(["instance", "lan", "wire", "link", "a2b", "tap", "nat"]);

/** Captures that were begun from the keyboard: each goes on, whatever is looked at, until it is stopped or the program ends. */
export class Captures {
  readonly #model: Model;
  readonly #capture: Capturer;
  readonly #signal: AbortSignal;
  readonly #running = new Map<string, Running>();
  /** What was said last of the captures: only that is said anew. */
  #said = "";

  constructor(model: Model, capture: Capturer, signal: AbortSignal) {
    this.#model = model;
    this.#capture = capture;
    this.#signal = signal;
  }

  /** One has not begun yet, or was stopped and has not said what it came to. */
  get isChanging(): boolean {
    return [...this.#running.values()].some(({ ending, progress }) => ending.signal.aborted || progress === undefined);
  }

  /** Some go on. */
  get areRunning(): boolean {
    return this.#running.size > 0;
  }

  /** Begins to capture a resource, or stops that. */
  toggle(name: string): void {
    const running = this.#running.get(name);
    if (running !== undefined) {
      running.ending.abort();
      return;
    }
    const begun: Running = { ending: new AbortController(), progress: undefined };
    this.#running.set(name, begun);
    this.#say(`capturing ${shortName(name)}`);
    void this.#run(name, begun);
  }

  /** Stops all of them. */
  endAll(): void {
    for (const { ending } of this.#running.values()) ending.abort();
  }

  async #run(name: string, running: Running): Promise<void> {
    try {
      const captured = await this.#capture(name, {
        signal: AbortSignal.any([running.ending.signal, this.#signal]),
        onNotice: (text) => {
          this.#model.say(text, "warn");
          this.#model.changed();
        },
        onProgress: (progress) => {
          running.progress = progress;
          this.#tell();
        },
      });
      this.#running.delete(name);
      this.#say(`captured ${shortName(name)}: ${figures(captured)} in ${captured.path}`);
    } catch (error) {
      this.#running.delete(name);
      if (this.#signal.aborted) return;
      const message = `cannot capture ${shortName(name)}: ${messageOf(error)}`;
      this.#model.complain("tui.capture_failed", name, message);
    }
    this.#model.changed();
  }

  /** Says how far the captures are, unless something else is said. */
  #tell(): void {
    const { notice } = this.#model;
    if (notice !== undefined && notice.text !== this.#said) return;
    const all = [...this.#running].flatMap(([name, { progress }]) =>
      progress === undefined ? [] : [`capturing ${shortName(name)}: ${figures(progress)} in ${progress.path}`],
    );
    if (all.length === 0) return;
    this.#say(`${all.join("; ")}; f stops`);
    this.#model.changed();
  }

  #say(text: string): void {
    this.#said = text;
    this.#model.say(text);
  }
}

function figures({ packets, dropped, unread }: Captured): string {
  const lost = dropped + unread;
  return `${counted(packets, "frame")}, ${lost === 0 ? "none" : lost} lost`;
}
