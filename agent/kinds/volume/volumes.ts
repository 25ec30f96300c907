import { randomUUID } from "node:crypto";
import { pause } from "../../../lib/backoff.js";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { alreadyExists, invalidFields } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import { pack } from "../../../lib/kinds/resource.js";
import type { ResourceId } from "../../../lib/names.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import type { OpenVolume, VolumeAccess } from "../../drivers/abilities/volumes.js";
import { asFailure } from "../../kit/failure.js";
import type { Change, Whole } from "../../kit/kind.js";
import { MadeResources } from "../../kit/made-resources.js";
import { checkMetadata } from "../../kit/metadata.js";
import type { ResourceSource } from "../../kit/references.js";
import type { AskedChange, StandardVerbs } from "../../kit/standard-methods.js";
import type { AgentContext } from "../../parts.js";
import { openSource } from "../../storage/open-volume.js";
import type { UsablePool } from "../../storage/pools.js";
import { assertNoSnapshots } from "../../storage/volume-snapshots.js";
import { fillVolume, withImageSize } from "./from-image.js";
import { growVolume } from "./grow.js";
import { assertIdle, assertUnused, checkVolumeChange, checkVolumeSpec, notWhole, withFormat } from "./volume-check.js";
import { type Facts, type MadeVolume, parseFacts, poolsOf, toStorageVolume } from "./volume-facts.js";
import { assertSettled } from "./move.js";
import { VolumeMoves } from "./volume-moves.js";
import { VolumeObservations } from "./volume-status.js";
import { toldOf } from "../../host/told.js";

/** What is written by running machines is looked at this often: nothing tells when a file grows. */
const refreshMs = 15_000;
const bytesPerMib = 1024n * 1024n;

/** The volumes of this host. */
export class Volumes implements StandardVerbs<Volume> {
  readonly #context: AgentContext;
  readonly #made: MadeResources<Volume, Facts>;
  readonly #queue = new KeyedQueue();
  /** Those that are about to be deleted: nothing new may have them. */
  readonly #leaving = new Set<string>();
  readonly #observed: VolumeObservations;
  /** What is being done to some, by id, for who wants to open them. */
  readonly #busy = new Map<string, string>();
  /** Those whose making or deletion was cut short, in pools that were being opened when the agent began. */
  #cut: readonly MadeVolume[] = [];
  /** Moves of them to other pools. */
  readonly moves: VolumeMoves;

  constructor(context: AgentContext) {
    this.#context = context;
    this.#observed = new VolumeObservations(context);
    this.#made = new MadeResources<Volume, Facts>(
      {
        kind: "volume",
        changeable: undefined,
        parseFacts,
        toStatus: (made) => this.#observed.statusOf(made),
        uses: (one) => poolsOf(one).map((id) => ({ kind: "pool", id, from: one.resource.name })),
        checkUpdate: (after, before) => checkUpdate(after, before),
        carryOut: (after, before) => this.#carryOut(after, before),
      },
      context,
    );
    this.moves = new VolumeMoves({
      ...{ context, made: this.#made, queue: this.#queue, busy: this.#busy },
      pool: (id) => this.#pool(id),
      whole: (id) => this.#whole(id),
      look: (made) => this.#measure(made),
      account: (made) => this.#account(made),
    });
  }

  readonly get = (id: string): Volume => this.#made.shown(id);
  readonly list = (): readonly Volume[] => this.#made.list();

  /** For those that refer to volumes. */
  get source(): ResourceSource {
    const made = this.#made;
    return {
      has: (id) => made.has(id) && !this.#leaving.has(id),
      find: (id) => made.find(id),
      list: () => made.list(),
      uses: () => made.uses(),
    };
  }

  /** For drivers, whose instances have them. */
  get access(): VolumeAccess {
    return {
      look: (id) => {
        const made = this.#whole(id);
        const { sizeBytes, format } = toStorageVolume(made);
        return { name: made.resource.name, uid: made.resource.uid, sizeBytes, format };
      },
      open: (id, mode) => this.#open(id, mode),
      replace: (id, holder) => this.moves.replacements.begin(id, holder),
      settleReplaced: (holder, keep) => this.moves.replacements.settle(holder, keep),
    };
  }

  /** Takes up what is on disk; undoes or finishes what was cut short. */
  async restore(): Promise<void> {
    const { holders, pools, publisher } = this.#context;
    const cut = await this.#made.load();
    for (const made of this.#made.all()) this.#account(made);
    const isAway = ({ resource }: MadeVolume): boolean => pools.isOpening(resource.spec.pool);
    this.#cut = cut.filter(isAway);
    for (const made of cut) if (!isAway(made)) await this.#endCut(made);
    await this.moves.restore();
    for (const made of this.#made.all()) if (!isAway(made)) await this.#look(made);
    holders.onChange((id) => this.#made.publishOne(id));
    publisher.listen("instance", (name) => {
      for (const id of holders.volumesOf(name)) this.#made.publishOne(id);
    });
    const reasons = new Map<string, string>();
    pools.onChange((pool) => {
      const reason = pools.find(pool)?.reason ?? "";
      if (reasons.get(pool) === reason) return;
      reasons.set(pool, reason);
      for (const made of this.#made.all()) {
        if (made.resource.spec.pool !== pool) continue;
        this.#made.publishOne(made.id);
        // Its storage is back.
        if (reason === "") void this.#look(made);
      }
    });
    this.#made.publish();
  }

  /** Finishes what was begun at running instances, and looks at what they write, until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { logError, pools } = this.#context;
    await this.moves.settle();
    await pools.allOpened(signal);
    for (const made of signal.aborted ? [] : this.#cut) await this.#endCut(made);
    for (const made of this.#made.all()) {
      const { growToMib = 0 } = made.facts ?? {};
      if (growToMib === 0) continue;
      await this.#finishGrowth(made, BigInt(growToMib)).catch((error: unknown) => {
        logError(error, `the growth of ${made.resource.name} could not be finished after a restart; ask for it again`);
      });
    }
    this.#made.publish();
    while (!signal.aborted) {
      await pause(refreshMs, signal);
      const running = this.#made.all().filter(({ id }) => this.#observed.isRunOn(id));
      for (const made of running) await this.#measure(made);
      await this.moves.tidy();
    }
  }

  readonly create = async (id: ResourceId, wanted: Volume, change: AskedChange): Promise<Operation> => {
    const { operations, references } = this.#context;
    const { validateOnly, caller, requestId } = change;
    const name = this.#made.nameOf(id);
    const { spec: asked, violations } = checkVolumeSpec(wanted.spec);
    const all = [...checkMetadata("volume", wanted), ...violations];
    if (all.length > 0) throw invalidFields(all, name);
    if (this.#made.isTaken(id)) throw alreadyExists(name);
    const needs = [{ kind: "pool", id: asked.pool, remedy: "list them with: zor get pools" }];
    references.assertThere(needs);
    const usable = this.#pool(asked.pool);
    const spec = withFormat(await withImageSize(this.#context, asked, name), usable, name);
    await this.#context.pools.assertFits(usable, { name }, spec.sizeMib * bytesPerMib);
    const planned = this.#made.plan(id, wanted, spec, caller);
    const verb = "volume.create";
    if (validateOnly) {
      const value = { ...planned.stored.resource, status: undefined };
      return checkedOperation(verb, name, pack({ kind: "volume", value }));
    }
    // What was there may have gone meanwhile.
    if (this.#made.isTaken(id)) throw alreadyExists(name);
    references.assertThere(needs);
    await this.#made.reserve(planned);
    const made = this.#made.get(id);
    this.#account(made);
    try {
      return operations.start({
        ...{ verb, target: name, requestId, caller, id: randomUUID() },
        work: ({ signal, progress }) =>
          this.#queue.run(id, async () => {
            try {
              progress("making its storage", 5);
              await usable.backend.create(usable.pool, toStorageVolume(made));
              signal.throwIfAborted();
              const filled = { ...usable, volume: toStorageVolume(made), image: spec.image };
              if (spec.image !== "") await fillVolume(this.#context, filled, { signal, progress });
              await this.#made.complete(id, { growToMib: 0 }, caller);
            } catch (error) {
              await this.#undo(made);
              throw asFailure(error, name, "create");
            }
            await this.#measure(this.#made.get(id));
            return pack({ kind: "volume", value: this.#made.shown(id) });
          }),
      });
    } catch (error) {
      await this.#undo(made);
      throw error;
    }
  };

  readonly update: StandardVerbs<Volume>["update"] = async (id, asked, change) => {
    this.#assertNotLong(id);
    return await this.#queue.run(id, async () => {
      const { name } = this.#made.get(id).resource;
      try {
        await this.#made.update(id, asked, change);
      } catch (error) {
        throw asFailure(error, name, "change");
      }
      const made = this.#made.get(id);
      if (change.validateOnly || (made.facts?.growToMib ?? 0) === 0) return this.#made.shown(id);
      await this.#setGrowth(id, 0);
      await this.#measure(made);
      return this.#made.shown(id);
    });
  };

  readonly delete = async (id: string, { validateOnly, caller }: Change): Promise<void> => {
    this.#assertNotLong(id);
    await this.#queue.run(id, async () => {
      const made = this.#made.get(id);
      const { name, spec } = made.resource;
      // From here on nothing new can have it; checked afterwards, so that nothing slips in between.
      this.#leaving.add(id);
      try {
        assertUnused(this.#context, made);
        assertSettled(made);
        this.#pool(spec.pool);
        if (validateOnly) return;
        await this.moves.forget(id);
        await this.#made.doom(id);
        try {
          await this.#remove(made);
        } catch (error) {
          if (made.facts !== undefined) await this.#made.spare(id);
          throw asFailure(error, name, "delete");
        }
        this.#made.announce("deleted", id, caller);
      } finally {
        this.#leaving.delete(id);
      }
    });
  };

  /** What takes long is not waited for. @throws {ZorError} NOT_FOUND; FAILED_PRECONDITION */
  #assertNotLong(id: string): void {
    const made = this.#made.get(id);
    if (made.facts === undefined && !made.isDoomed) throw notWhole(made.resource.name);
    const busy = this.#busy.get(id);
    assertIdle(made, busy === "grown" ? undefined : busy);
  }

  async #setGrowth(id: string, growToMib: number): Promise<void> {
    await this.#made.setFacts(id, { ...this.#made.get(id).facts, growToMib });
  }

  async #open(id: string, mode: "r" | "r+"): Promise<OpenVolume> {
    const made = this.#whole(id);
    const volume = toStorageVolume(made);
    assertIdle(made, this.#busy.get(id));
    try {
      // Whoever starts right after the agent waits for its storage, as long as that may take to answer.
      await this.#context.pools.opened(made.resource.spec.pool);
      const { pool, backend } = this.#pool(made.resource.spec.pool);
      const opened = await openSource(await backend.source(pool, volume), volume, mode);
      this.#setProblem(made, "");
      return opened;
    } catch (error) {
      const failure = asFailure(error, volume.name, "open");
      this.#setProblem(made, toldOf(failure));
      throw failure;
    }
  }

  /** Looks whether the content of one can be had. Never rejects. */
  async #look(made: MadeVolume): Promise<void> {
    if (made.facts === undefined) return;
    try {
      await using opened = await this.#open(made.id, "r");
      void opened;
      await this.#measure(made);
    } catch {
      // It is told with its state.
    }
  }

  /** @throws {ZorError} */
  async #carryOut(after: Whole<Volume>, before: Whole<Volume>): Promise<void> {
    if (after.spec.sizeMib === before.spec.sizeMib) return;
    const made = this.#made.get(before.name.slice(before.name.lastIndexOf("/") + 1));
    if (made.facts === undefined) throw notWhole(before.name);
    assertSettled(made);
    assertNoSnapshots(this.#context.references, { volume: made.id, what: "resized" });
    const usable = this.#pool(before.spec.pool);
    const moreBytes = (after.spec.sizeMib - before.spec.sizeMib) * bytesPerMib;
    await this.#context.pools.assertFits(usable, before, moreBytes);
    await this.#grow(made, after.spec.sizeMib);
    this.#context.pools.account(before.uid, { pool: before.spec.pool, bytes: after.spec.sizeMib * bytesPerMib });
  }

  /** Has one grow. That it was begun is written down before; on error that is taken back. */
  async #grow(made: MadeVolume, sizeMib: bigint): Promise<void> {
    const { id } = made;
    await this.#setGrowth(id, Number(sizeMib));
    this.#busy.set(id, "grown");
    try {
      const usable = this.#pool(made.resource.spec.pool);
      await growVolume(this.#context, { id, volume: toStorageVolume(made), usable }, sizeMib * bytesPerMib);
    } catch (error) {
      await this.#setGrowth(id, 0);
      throw error;
    } finally {
      this.#busy.delete(id);
    }
  }

  /** Ends what a restart of the agent has cut short. Never rejects. */
  async #endCut(made: MadeVolume): Promise<void> {
    const { name } = made.resource;
    const [what, which] = made.isDoomed ? (["deleted", "its deletion"] as const) : (["undone", "its making"] as const);
    await this.#remove(made).then(
      () => this.#made.report(what, made.id, `${which} was cut short by a restart of the agent`),
      (error: unknown) =>
        this.#context.logError(error, `what a restart cut short at ${name} could not be ended; delete it again`),
    );
  }

  async #finishGrowth(made: MadeVolume, sizeMib: bigint): Promise<void> {
    await this.#queue.run(made.id, async () => {
      const { spec } = this.#made.get(made.id).resource;
      if (spec.sizeMib < sizeMib) {
        await this.#grow(made, sizeMib);
        await this.#made.setSpec(made.id, { ...spec, sizeMib });
        this.#account(this.#made.get(made.id));
        this.#made.report("resized", made.id, "its growth was finished after a restart of the agent");
      }
      await this.#setGrowth(made.id, 0);
    });
  }

  /** Removes what there is of one, and forgets it. */
  async #remove(made: MadeVolume): Promise<void> {
    const { id, resource } = made;
    const { pool, backend } = this.#pool(resource.spec.pool);
    await backend.remove(pool, toStorageVolume(made));
    await this.#made.forget(id);
    this.#context.pools.account(resource.uid, undefined);
    this.#observed.forget(resource.uid);
  }

  /** It could not be made. What cannot be removed now is, after the next start of the agent. */
  async #undo(made: MadeVolume): Promise<void> {
    await this.#remove(made).catch((error: unknown) => {
      this.#context.logError(error, `what was made of ${made.resource.name} could not be removed`);
    });
  }

  /** Never rejects: a pool that cannot be had tells so itself. */
  async #measure(made: MadeVolume): Promise<void> {
    const state = this.#context.pools.find(made.resource.spec.pool);
    if (state?.reason !== "") return;
    const bytes = await state.backend.allocated?.(state.pool, toStorageVolume(made)).catch(() => undefined);
    if (bytes === undefined) return;
    this.#observed.setAllocated(made.resource.uid, bytes);
    this.#made.publishOne(made.id);
  }

  #setProblem({ id, resource: { uid } }: MadeVolume, problem: string): void {
    if (this.#observed.setProblem(uid, problem)) this.#made.publishOne(id);
  }

  #account({ resource: { uid, spec } }: MadeVolume): void {
    this.#context.pools.account(uid, { pool: spec.pool, bytes: spec.sizeMib * bytesPerMib });
  }

  #pool(id: string): UsablePool {
    return this.#context.pools.get(id, this.#context.references.nameOf("pool", id));
  }

  /** @throws {ZorError} NOT_FOUND; FAILED_PRECONDITION while it is made or deleted. */
  #whole(id: string): MadeVolume {
    const made = this.#made.get(id);
    if (made.facts === undefined || made.isDoomed) throw notWhole(made.resource.name);
    return made;
  }
}

function checkUpdate(after: Whole<Volume>, before: Whole<Volume>): void {
  const violations = [...checkVolumeSpec(after.spec).violations, ...checkVolumeChange(before.spec, after.spec)];
  if (violations.length > 0) throw invalidFields(violations, after.name);
}
