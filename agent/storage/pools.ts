import { failedPrecondition, invalidArgument, notFound } from "../../lib/errors.js";
import type { PoolSpec } from "../../proto/gen/zor/v1/pool.js";
import type { PoolBackend, PoolCapacity, StoragePool, StorageVolume } from "./pool-backend.js";
import { toldOf } from "../host/told.js";

/** A pool and what is known of its storage. */
export interface PoolState {
  readonly pool: StoragePool;
  readonly backend: PoolBackend;
  /** Why its storage cannot be had; "": it can. */
  readonly reason: string;
  /** As it was looked at last; undefined: never yet. */
  readonly capacity: PoolCapacity | undefined;
}

/** A pool whose storage can be had. */
export interface UsablePool {
  readonly pool: StoragePool;
  readonly backend: PoolBackend;
}

/** What the volumes of a pool are together. */
export interface PoolUsage {
  readonly count: number;
  readonly promisedBytes: bigint;
}

/** What thin storage is promised, as often as it is there: volumes grow as they are written. */
const overcommit = 4n;
const bytesPerMib = 1024n * 1024n;
const openingReason = "opening: its storage has not answered yet";
const noUsage: PoolUsage = { count: 0, promisedBytes: 0n };

/** The pools of this host as kinds share them: which storage can be had, and what is in it. */
export class Pools {
  readonly #backends: ReadonlyMap<string, PoolBackend>;
  readonly #states = new Map<string, PoolState>();
  /** Those that are being opened, by id; these never reject. */
  readonly #opening = new Map<string, Promise<void>>();
  readonly #usage = new Map<string, PoolUsage>();
  /** Of each volume, by uid. */
  readonly #accounts = new Map<string, { readonly pool: string; readonly bytes: bigint }>();
  readonly #listeners: ((id: string) => void)[] = [];

  constructor(backends: readonly PoolBackend[]) {
    this.#backends = new Map(backends.map((backend) => [backend.kind, backend]));
  }

  /** The backend of a specification. @throws {ZorError} INVALID_ARGUMENT when there is none. */
  backendOf({ backend }: PoolSpec): PoolBackend {
    const kinds = [...this.#backends.keys()].map(protoName);
    if (backend === undefined) throw invalidArgument("pool.spec.backend", `must be set: ${kinds.join(", ")}`);
    const found = this.#backends.get(backend.$case);
    if (found !== undefined) return found;
    const field = `pool.spec.${protoName(backend.$case)}`;
    throw invalidArgument(field, `this agent has no such storage; it has ${kinds.join(", ")}`);
  }

  /** Makes a pool usable. @throws what its storage says; then it is unavailable for that reason. */
  async open(pool: StoragePool): Promise<void> {
    const backend = this.backendOf(pool.spec);
    const opening = this.#tryOpen(pool, backend);
    const quiet = opening.catch(() => undefined);
    this.#opening.set(pool.id, quiet);
    try {
      await opening;
    } finally {
      if (this.#opening.get(pool.id) === quiet) this.#opening.delete(pool.id);
    }
  }

  /**
   * Makes a pool usable after a restart of the agent. One whose storage may not answer is unavailable until it has: {@link opened} tells.
   * @throws what storage of the host itself says.
   */
  async reopen(pool: StoragePool): Promise<void> {
    const backend = this.backendOf(pool.spec);
    if (backend.opensAtOnce === true) return await this.open(pool);
    this.#set({ pool, backend, reason: openingReason, capacity: undefined });
    // Its state tells how that ends.
    this.open(pool).catch(() => undefined);
  }

  /** Resolves once a pool is not being opened: its storage can be had or not. Never rejects. */
  async opened(id: string): Promise<void> {
    await this.#opening.get(id);
  }

  /** Resolves once none is being opened, or the signal aborts. Never rejects. */
  async allOpened(signal: AbortSignal): Promise<void> {
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const onAbort = (): void => resolve();
    if (signal.aborted) return;
    signal.addEventListener("abort", onAbort, { once: true });
    await Promise.race([Promise.all(this.#opening.values()), aborted]);
    signal.removeEventListener("abort", onAbort);
  }

  isOpening(id: string): boolean {
    return this.#opening.has(id);
  }

  async #tryOpen(pool: StoragePool, backend: PoolBackend): Promise<void> {
    try {
      await backend.open(pool);
      const capacity = await backend.capacity(pool);
      this.#set({ pool, backend, reason: "", capacity });
    } catch (error) {
      this.#set({ pool, backend, reason: toldOf(error), capacity: undefined });
      throw error;
    }
  }

  /** Lets go of a pool, once it is not being opened any more. Idempotent. */
  async close({ id }: Pick<StoragePool, "id">): Promise<void> {
    await this.opened(id);
    const state = this.#states.get(id);
    if (state === undefined) return;
    // First, so that nobody who looks at it meanwhile opens it again.
    this.#states.delete(id);
    try {
      await state.backend.close(state.pool);
    } catch (error) {
      this.#states.set(id, state);
      throw error;
    }
  }

  /** Looks at the storage of a pool again, and tries to have it where it could not be had. Never rejects. */
  async refresh(id: string): Promise<void> {
    const state = this.#states.get(id);
    if (state === undefined || this.#opening.has(id)) return;
    const { pool, backend, reason } = state;
    try {
      if (reason !== "") return await this.open(pool);
      const capacity = await backend.capacity(pool);
      if (this.#states.has(id)) this.#set({ ...state, capacity });
    } catch (error) {
      if (this.#states.has(id)) this.#set({ ...state, reason: toldOf(error) });
    }
  }

  find(id: string): PoolState | undefined {
    return this.#states.get(id);
  }

  /** @throws {ZorError} NOT_FOUND; FAILED_PRECONDITION when its storage cannot be had. */
  get(id: string, name: string): UsablePool {
    const state = this.#states.get(id);
    if (state === undefined) throw notFound(name, "list them with: zor get pools");
    if (state.reason === "") return state;
    throw failedPrecondition("POOL_UNAVAILABLE", name, `${name} is not available: ${state.reason}`);
  }

  /**
   * Refuses a volume, or its growth, that the pool has no room for.
   * @param moreBytes what it takes beyond what the pool's volumes were promised already.
   */
  async assertFits(
    { pool, backend }: UsablePool,
    volume: Pick<StorageVolume, "name">,
    moreBytes: bigint,
  ): Promise<void> {
    const { totalBytes } = await backend.capacity(pool);
    if (totalBytes === 0n) return;
    const { promisedBytes } = this.usageOf(pool.id);
    if (promisedBytes + moreBytes <= totalBytes * overcommit) return;
    const inMib = (bytes: bigint): string => `${bytes / bytesPerMib} MiB`;
    const limit = inMib(totalBytes * overcommit);
    throw invalidArgument(
      "volume.spec.size_mib",
      `${inMib(moreBytes)} with the ${inMib(promisedBytes)} that the pool's volumes have are more than the ${limit} that ${pool.name} gives (${overcommit} times what it has); make it smaller, or delete volumes`,
      volume.name,
    );
  }

  usageOf(id: string): PoolUsage {
    return this.#usage.get(id) ?? noUsage;
  }

  /** Says in which pool a volume is, and how large; undefined: in none any more. */
  account(uid: string, now: { readonly pool: string; readonly bytes: bigint } | undefined): void {
    const before = this.#accounts.get(uid);
    if (before?.pool === now?.pool && before?.bytes === now?.bytes) return;
    if (before !== undefined) this.#add(before.pool, -1, -before.bytes);
    if (now === undefined) this.#accounts.delete(uid);
    else {
      this.#accounts.set(uid, now);
      this.#add(now.pool, 1, now.bytes);
    }
    for (const id of new Set([before?.pool, now?.pool])) if (id !== undefined) this.#tell(id);
  }

  /** Calls back when something of a pool is not as it was. */
  onChange(listener: (id: string) => void): void {
    this.#listeners.push(listener);
  }

  #add(id: string, count: number, bytes: bigint): void {
    const before = this.usageOf(id);
    this.#usage.set(id, { count: before.count + count, promisedBytes: before.promisedBytes + bytes });
  }

  #set(state: PoolState): void {
    this.#states.set(state.pool.id, state);
    this.#tell(state.pool.id);
  }

  #tell(id: string): void {
    for (const listener of this.#listeners) listener(id);
  }
}

/** "lvm_thin" of "lvmThin". */
function protoName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
