import type { BootRecord } from "./boot-record.js";
import type { InstanceContext, Waits } from "./context.js";
import { startInOrder } from "./host-boot.js";
import type { InstanceStore } from "./instance-store.js";
import type { InstanceRecord } from "./record.js";
import { startAgain, startAtBoot } from "./start-again.js";
import { isUp, StartTurns } from "./start-turns.js";
import { Waiting } from "./waiting.js";

/** What starts that nobody asked for need. */
export interface UnaskedOptions extends Pick<InstanceContext, "logError"> {
  readonly store: Pick<InstanceStore, "openBootRecord">;
  /** Does work at an instance when its turn comes; nothing when it is gone. Never rejects. */
  readonly run: (id: string, work: typeof startAgain) => Promise<void>;
}

/** Starts of instances that nobody asked for: because the host has booted, and again after their end. */
export class Unasked implements Waits {
  readonly turns = new StartTurns();
  readonly #options: UnaskedOptions;
  readonly #waiting: Waiting;
  readonly #closing = new AbortController();
  #boots: BootRecord | undefined;

  constructor(options: UnaskedOptions) {
    this.#options = options;
    this.#waiting = new Waiting((id) => options.run(id, startAgain));
  }

  arm(record: InstanceRecord): void {
    this.#waiting.arm(record);
  }

  async bootDone(record: InstanceRecord): Promise<void> {
    record.awaitsBoot = false;
    await this.#boots?.done(record.stored.id).catch((error: unknown) => this.#unwritten(error));
    this.arm(record);
  }

  /** Resolves to whether the host has booted since an agent of it ran last. */
  async readBoots(options: Parameters<InstanceStore["openBootRecord"]>[0]): Promise<boolean> {
    this.#boots = await this.#options.store.openBootRecord(options);
    const { damage, isNewBoot } = this.#boots;
    if (damage !== "") this.#options.logError(new Error(damage), "what is started by itself may be incomplete");
    return isNewBoot;
  }

  /** Takes note of what is to be started because the host has booted, with what an earlier agent did not come to. */
  async planBoot(records: readonly InstanceRecord[]): Promise<void> {
    for (const record of records) {
      const isLeft = this.#boots?.pending.has(record.stored.id) === true;
      if (isLeft && record.handle === undefined && !record.specLost) record.awaitsBoot = true;
    }
    const awaiting = records.filter(({ awaitsBoot }) => awaitsBoot).map(({ stored }) => stored.id);
    await this.#boots?.plan(awaiting).catch((error: unknown) => this.#unwritten(error));
  }

  /** Begins to start them. Resolves when all are that the boot of the host is the reason for. */
  async start(records: readonly InstanceRecord[], signal: AbortSignal): Promise<void> {
    const until = AbortSignal.any([signal, this.#closing.signal]);
    this.#waiting.open(records, until);
    const awaiting = records.filter(({ awaitsBoot }) => awaitsBoot);
    const { run } = this.#options;
    const startOne = async ({ stored }: InstanceRecord): Promise<void> => {
      // Before its queue: it can be stopped or deleted meanwhile.
      await this.turns.take(stored.resource.uid, until).catch(() => undefined);
      await run(stored.id, startAtBoot);
    };
    await startInOrder(awaiting, startOne, until);
  }

  /** Told how the instance is now: another one may have its turn. */
  seen(record: InstanceRecord): void {
    if (isUp(record)) this.turns.end(record.stored.resource.uid);
  }

  /** Starts nothing more. */
  close(): void {
    this.#closing.abort();
  }

  /** The instance is gone. */
  forget(record: InstanceRecord): void {
    this.#waiting.forget(record.stored.id);
    if (record.awaitsBoot) void this.bootDone(record);
  }

  #unwritten(error: unknown): void {
    this.#options.logError(error, "the record of the host's boots could not be written");
  }
}
