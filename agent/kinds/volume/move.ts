import { randomUUID } from "node:crypto";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import type { ClaimedInstance, InstanceSubject } from "../../drivers/instance-access.js";
import type { CopyOptions } from "../../drivers/abilities/copies.js";
import type { AgentContext } from "../../parts.js";
import { copyVolume, volumeBytes } from "../../storage/copy-volume.js";
import { openSource } from "../../storage/open-volume.js";
import type { UsablePool } from "../../storage/pools.js";
import { assertNoSnapshots } from "../../storage/volume-snapshots.js";
import type { Facts, MadeVolume, Place } from "./volume-facts.js";
import { placeOf, storedAt, toStorageVolume } from "./volume-facts.js";

/** What a move needs of the volumes of the host. */
export interface MovingVolumes {
  readonly context: AgentContext;
  get(id: string): MadeVolume;
  pool(id: string): UsablePool;
  /** Durable when it resolves. */
  setFacts(id: string, facts: Facts): Promise<void>;
  /** Writes down where it is. Durable when it resolves. */
  setPlace(id: string, place: Place): Promise<void>;
  /** Nobody may open it until disposed of, or until its move is settled where that has not ended then. */
  hold(id: string, what: string): Disposable;
}

const bytesPerMib = 1024n * 1024n;

/** Checks a move; changes nothing. @throws {ZorError} */
export async function checkMove({ context, pool }: MovingVolumes, made: MadeVolume, to: string): Promise<void> {
  const { name, spec } = made.resource;
  if (spec.pool === to) throw invalidArgument("pool", `${name} is in ${context.references.nameOf("pool", to)} already`);
  assertNoSnapshots(context.references, { volume: made.id, what: "moved" });
  context.references.assertThere([{ kind: "pool", id: to, remedy: "list them with: zor get pools" }]);
  await context.pools.assertFits(pool(to), { name }, spec.sizeMib * bytesPerMib);
  runningHolder(context, made);
}

/** Moves a volume. On error or abort it is where it was, and nothing of it elsewhere, unless a storage is away: then what is left is removed later. */
export async function moveVolume(volumes: MovingVolumes, id: string, to: string, options: CopyOptions): Promise<void> {
  const { context } = volumes;
  const made = volumes.get(id);
  const { name } = made.resource;
  assertSettled(made);
  using held = volumes.hold(id, "moved");
  void held;
  const claim = { what: "moved to another pool on a disk", operation: `the move of ${name}` };
  const holders = [...new Set(context.holders.of(id).map(({ instance }) => instance))];
  await withClaims(context, holders, claim, async (claimed) => {
    const running = claimed.map((each) => each.subject()).find(({ handle }) => handle !== undefined);
    const part = context.holders.of(id).find(({ instance }) => instance === running?.instance.name)?.part;
    if (running !== undefined) runningHolder(context, made);
    const live = running === undefined || part === undefined ? undefined : { subject: running, part };
    await carryOut(volumes, made, { to, live }, options);
  });
}

/** A running instance that has it. */
interface LiveHolder {
  readonly subject: InstanceSubject;
  readonly part: string;
}

async function carryOut(
  volumes: MovingVolumes,
  made: MadeVolume,
  { to, live }: { readonly to: string; readonly live: LiveHolder | undefined },
  options: CopyOptions,
): Promise<void> {
  const { id, resource } = made;
  const { name } = resource;
  const { context } = volumes;
  const from = volumes.pool(resource.spec.pool);
  const target = volumes.pool(to);
  const work = { state: context.state, resource: name };
  options.progress("looking at it", 1);
  const kept = toStorageVolume(made);
  await using source = await openSource(await from.backend.source(from.pool, kept), kept, "r");
  const bytes =
    live === undefined
      ? await volumeBytes(source, { ...work, signal: options.signal })
      : ((await live.subject.driver.can.volumes?.findRunning(live.subject.instance, live.part))?.sizeBytes ?? 0n);
  const before = placeOf(made);
  const [usual] = target.backend.formats;
  const place: Place = {
    pool: to,
    storageId: randomUUID(),
    format: target.backend.formats.includes(before.format) ? before.format : usual,
    // Storage that rounds up has made it larger, and the guest may have used that.
    sizeMib: Number((bytes + bytesPerMib - 1n) / bytesPerMib),
  };
  const facts: Facts = { ...made.facts, growToMib: 0 };
  const stored = storedAt(place, name);
  const move = { from: before, to: place };
  await volumes.setFacts(id, { ...facts, move: { ...move, phase: "copying" } });
  try {
    options.progress("making its new storage", 5);
    // The pool may have gone until it was written down that it is used.
    context.references.assertThere([{ kind: "pool", id: to, remedy: "list them with: zor get pools" }]);
    await target.backend.create(target.pool, stored);
    options.signal.throwIfAborted();
    await using opened = await openSource(await target.backend.source(target.pool, stored), stored, "r+");
    if (live === undefined) await copyVolume(source, opened, { ...work, ...options });
    else {
      const commit = (node: string): Promise<void> =>
        volumes.setFacts(id, { ...facts, move: { ...move, phase: "switching", node } });
      const { driver, instance } = live.subject;
      await driver.can.volumes?.moveVolume(instance, { part: live.part, target: opened, commit }, options);
    }
  } catch (error) {
    // What a machine may have gone over to is not removed: where nobody can tell now, that is settled later.
    if (!(await hasSwitched(volumes, id))) {
      await discard(volumes, id, place, facts);
      throw error;
    }
    context.logError(error, `${name} is where it was to move to, whatever its machine says`);
  }
  await volumes.setFacts(id, { ...facts, move: { ...move, phase: "switched" } });
  options.progress("letting go of its old storage", 95);
  await finish(volumes, id, move);
}

/** It is where it moved to: that is written down, and what was before removed. */
async function finish(
  volumes: MovingVolumes,
  id: string,
  { from, to }: { readonly from: Place; readonly to: Place },
): Promise<void> {
  const { move: _move, ...facts } = volumes.get(id).facts ?? { growToMib: 0 };
  await volumes.setPlace(id, to);
  const leftovers = [...(facts.leftovers ?? []), from];
  await volumes.setFacts(id, { ...facts, storageId: to.storageId, leftovers });
  await removeLeftovers(volumes, id);
}

/** It is where it was: what was made elsewhere goes. */
async function discard(volumes: MovingVolumes, id: string, place: Place, facts: Facts): Promise<void> {
  const { move: _move, ...rest } = facts;
  await volumes.setFacts(id, { ...rest, leftovers: [...(rest.leftovers ?? []), place] });
  await removeLeftovers(volumes, id);
}

/** Whether a machine has gone over, however that went. @throws when it cannot be asked now. */
async function hasSwitched(volumes: MovingVolumes, id: string): Promise<boolean> {
  const made = volumes.get(id);
  return made.facts?.move?.phase === "switching" && (await hasGoneOver(volumes, made));
}

/** @throws {ZorError} FAILED_PRECONDITION while it is restored, or not known where it is, because a move of it could not be ended. */
export function assertSettled({ facts, resource: { name } }: Pick<MadeVolume, "facts" | "resource">): void {
  if (facts?.replacement !== undefined) {
    const remedy = "try again when that has ended";
    throw failedPrecondition("VOLUME_BUSY", name, `${name} is being restored from a backup; ${remedy}`);
  }
  if (facts?.move === undefined) return;
  const why = "a move of it could not be ended, which is tried again; look at the log of the agent";
  throw failedPrecondition("VOLUME_BUSY", name, `${name}: ${why}`);
}

/** Removes what is left of a volume where it is not any more, as far as its storage can be had. */
export async function removeLeftovers(volumes: MovingVolumes, id: string): Promise<void> {
  const { facts, resource } = volumes.get(id);
  const left = facts?.leftovers ?? [];
  if (facts === undefined || left.length === 0) return;
  const still: Place[] = [];
  for (const place of left) {
    const state = volumes.context.pools.find(place.pool);
    // Of a pool that cannot be had its own state tells.
    if (state?.reason !== "") {
      still.push(place);
      continue;
    }
    try {
      await state.backend.remove(state.pool, storedAt(place, resource.name));
    } catch (error) {
      still.push(place);
      volumes.context.logError(
        error,
        `what is left of ${resource.name} in pool ${place.pool} could not be removed yet`,
      );
    }
  }
  if (still.length === left.length) return;
  const { leftovers: _leftovers, ...rest } = facts;
  await volumes.setFacts(id, still.length === 0 ? rest : { ...rest, leftovers: still });
}

/** Ends a move that a restart has cut short. Resolves to what became of it, for people; undefined: there was none. */
export async function settleMove(volumes: MovingVolumes, id: string): Promise<string | undefined> {
  const made = volumes.get(id);
  const { facts } = made;
  if (facts?.move === undefined) return undefined;
  const { from, to, phase } = facts.move;
  if (phase === "switched" || (phase === "switching" && (await hasGoneOver(volumes, made)))) {
    await finish(volumes, id, { from, to });
    return `its move to pool ${to.pool} was finished after a restart of the agent`;
  }
  await discard(volumes, id, to, facts);
  return `its move to pool ${to.pool} was undone, because it was cut short by a restart of the agent; ask for it again`;
}

/** Both places were alike when that was written down: where none runs on it the new one is as good. */
async function hasGoneOver({ context }: MovingVolumes, { id, facts }: MadeVolume): Promise<boolean> {
  for (const { instance: name, part } of context.holders.of(id)) {
    const { handle, driver, instance } = context.instances.get().look(name.slice(name.lastIndexOf("/") + 1));
    if (handle === undefined) continue;
    const running = await driver.can.volumes?.findRunning(instance, part);
    return running?.node === facts?.move?.node;
  }
  return true;
}

/** @throws {ZorError} FAILED_PRECONDITION when it cannot be moved while it is used as it is. */
function runningHolder({ holders, instances }: AgentContext, { id, resource: { name } }: MadeVolume): void {
  const running = holders
    .of(id)
    .filter(({ instance }) => instances.get().look(instance.slice(instance.lastIndexOf("/") + 1)).handle !== undefined);
  if (running.length === 0 || (running.length === 1 && running[0]?.readOnly === false)) return;
  const why = "machines that run only read it, and it moves only with one that writes to it";
  throw failedPrecondition("VOLUME_IN_USE", name, `${name} cannot be moved now: ${why}; stop them first`);
}

/** Does work while nothing else may change any of some instances. */
async function withClaims(
  context: AgentContext,
  names: readonly string[],
  claim: { readonly what: string; readonly operation: string },
  work: (claimed: readonly ClaimedInstance[]) => Promise<void>,
): Promise<void> {
  const next = async (index: number, claimed: readonly ClaimedInstance[]): Promise<void> => {
    const name = names[index];
    if (name === undefined) return await work(claimed);
    const instance = name.slice(name.lastIndexOf("/") + 1);
    await context.instances.get().claim(instance, claim, (one) => next(index + 1, [...claimed, one]));
  };
  await next(0, []);
}
