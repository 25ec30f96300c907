import type { FieldViolation } from "../../../lib/errors.js";
import { type Pool, PoolSpec, PoolState, type PoolStatus } from "../../../proto/gen/zor/v1/pool.js";
import { keptKind } from "../../kit/kept-kind.js";
import type { AgentKind, Checked, Kept, Whole } from "../../kit/kind.js";
import type { AgentContext } from "../../parts.js";
import type { StoragePool } from "../../storage/pool-backend.js";
import type { Pools } from "../../storage/pools.js";

/** What a storage has is looked at this often: nothing tells when it changes. */
const refreshMs = 15_000;
const maxDescription = 1024;
/** It is always there. */
const builtIn = "default";

/** The pools of this host. */
class PoolKind implements AgentKind<Pool> {
  readonly kind = "pool";
  // Volumes lie where the pool was when they were made.
  readonly changeable = ["labels", "annotations", "spec.description"];
  readonly refreshMs = refreshMs;
  readonly builtIn = [
    {
      id: builtIn,
      spec: PoolSpec.fromPartial({
        description: "below the agent's state directory",
        backend: { $case: "directory", value: { path: "" } },
      }),
    },
  ];
  readonly #pools: Pools;

  constructor(pools: Pools) {
    this.#pools = pools;
  }

  check(wanted: PoolSpec | undefined): Checked<Pool> {
    const spec = wanted ?? PoolSpec.fromPartial({});
    const violations: FieldViolation[] = [];
    if (spec.description.length > maxDescription)
      violations.push({ field: "pool.spec.description", description: `is longer than ${maxDescription} characters` });
    return { spec, violations };
  }

  async examine({ spec }: Whole<Pool>): Promise<void> {
    await this.#pools.backendOf(spec).check(spec);
  }

  async ensure(pool: Whole<Pool>): Promise<void> {
    await this.#pools.open(toStoragePool(pool));
  }

  async restore(pool: Whole<Pool>): Promise<void> {
    await this.#pools.reopen(toStoragePool(pool));
  }

  async remove(pool: Whole<Pool>): Promise<void> {
    await this.#pools.close(toStoragePool(pool));
  }

  observe(pool: Whole<Pool>, failure: string): PoolStatus {
    const { id } = toStoragePool(pool);
    const state = this.#pools.find(id);
    const reason = state?.reason ?? failure;
    const { count, promisedBytes } = this.#pools.usageOf(id);
    return {
      state: state?.reason === "" ? PoolState.POOL_STATE_READY : PoolState.POOL_STATE_UNAVAILABLE,
      reason,
      capacityBytes: state?.capacity?.totalBytes ?? 0n,
      freeBytes: state?.capacity?.freeBytes ?? 0n,
      promisedBytes,
      volumeCount: count,
      location: state === undefined ? "" : state.backend.location(state.pool),
    };
  }

  async begin(kept: Kept<Pool>): Promise<void> {
    this.#pools.onChange((id) => {
      const changed = kept.all().filter(({ resource }) => toStoragePool(resource).id === id);
      kept.publish(new Set(changed.map(({ resource }) => resource.uid)));
    });
  }

  async refresh(kept: Kept<Pool>): Promise<void> {
    await Promise.all(kept.all().map(({ resource }) => this.#pools.refresh(toStoragePool(resource).id)));
  }
}

/** Pools, for the list of kinds; before volumes, which are in them. */
export const poolKind = keptKind<Pool, AgentContext>("pool", ({ pools }) => new PoolKind(pools));

function toStoragePool({ name, uid, spec }: Whole<Pool>): StoragePool {
  return { id: name.slice(name.lastIndexOf("/") + 1), uid, name, spec };
}
