import { z } from "zod";
import type { Change, Store } from "../../store/store.js";

const schema = z.object({
  name: z.string(),
  targets: z.array(z.string()),
  imageId: z.string(),
  bytesPerSecond: z.number(),
  throughHub: z.boolean().default(false),
  caller: z.string(),
});

/** What a push was asked for; kept until it has ended, so that it goes on when the hub was restarted. */
export type PushRecord = z.output<typeof schema>;

const collection = "image-pushes";

/** The pushes that are under way, by the request id of their operation. */
export class PushRecords {
  readonly #store: Store;
  readonly #records = new Map<string, PushRecord>();

  constructor(store: Store) {
    this.#store = store;
  }

  async load(): Promise<void> {
    for (const { key, value } of await this.#store.list(collection)) {
      const parsed = schema.safeParse(JSON.parse(Buffer.from(value).toString("utf8")));
      if (parsed.success) this.#records.set(key, parsed.data);
    }
  }

  find(operation: string): PushRecord | undefined {
    return this.#records.get(keyOf(operation));
  }

  /** How a push is made durable; {@link keep} it once that is done. */
  planPut(operation: string, record: PushRecord): Change {
    return { type: "put", collection, key: keyOf(operation), value: Buffer.from(JSON.stringify(record)) };
  }

  keep(operation: string, record: PushRecord): void {
    this.#records.set(keyOf(operation), record);
  }

  async forget(operation: string): Promise<void> {
    await this.#store.commit([{ type: "delete", collection, key: keyOf(operation) }]);
    this.#records.delete(keyOf(operation));
  }
}

function keyOf(operation: string): string {
  return operation.replace(/^operations\//, "");
}
