import { z } from "zod";
import type { Progress } from "../driver.js";
import { EngineError } from "./engine-error.js";

const messageSchema = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  stream: z.string().optional(),
  error: z.string().optional(),
  progressDetail: z
    .object({ current: z.number().optional(), total: z.number().optional() })
    .nullish()
    .transform((detail) => detail ?? {}),
});

/** Sums up what an engine tells while it fetches an image: one number of all layers. */
export class PullProgress {
  readonly #progress: Progress;
  readonly #layers = new Map<string, { readonly done: number; readonly total: number }>();
  #last = -1;

  constructor(progress: Progress) {
    this.#progress = progress;
  }

  /** Takes a message. @throws {EngineError} when it says that fetching failed. */
  push(value: unknown): void {
    const { id, status = "", error, progressDetail } = messageSchema.parse(value);
    if (error !== undefined) throw new EngineError(400, error);
    if (id === undefined) return;
    const known = this.#layers.get(id);
    const { current, total } = progressDetail;
    // What is extracted was counted when it was fetched.
    if (status === "Downloading" && current !== undefined && total !== undefined && this.#layers.size < 4096)
      this.#layers.set(id, { done: Math.min(current, total), total });
    else if (/complete|exists/i.test(status) && known !== undefined)
      this.#layers.set(id, { ...known, done: known.total });
    this.#tell();
  }

  #tell(): void {
    const layers = [...this.#layers.values()];
    const total = layers.reduce((sum, layer) => sum + layer.total, 0);
    if (total === 0) return;
    const percent = Math.floor((99 * layers.reduce((sum, layer) => sum + layer.done, 0)) / total);
    // A layer that is only now known makes the whole larger: what was told is not taken back.
    if (percent <= this.#last) return;
    this.#last = percent;
    this.#progress("fetching the image", percent);
  }
}
