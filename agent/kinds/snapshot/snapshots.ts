import { randomUUID } from "node:crypto";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { alreadyExists, failedPrecondition } from "../../../lib/errors.js";
import { pack } from "../../../lib/kinds/resource.js";
import type { ResourceId } from "../../../lib/names.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { Snapshot, type SnapshotSpec } from "../../../proto/gen/zor/v1/snapshot.js";
import type { Snapshottable } from "../../drivers/abilities/snapshots.js";
import type { AccessOptions, ClaimedInstance, InstanceSubject } from "../../drivers/instance-access.js";
import { asFailure } from "../../kit/failure.js";
import type { Change } from "../../kit/kind.js";
import { MadeResources } from "../../kit/made-resources.js";
import type { ResourceSource } from "../../kit/references.js";
import type { AskedChange, StandardVerbs } from "../../kit/standard-methods.js";
import type { AgentContext } from "../../parts.js";
import type { Taker } from "../../schedules/taker.js";
import { checkDescription, checkedSpec, notWhole, refuse, withAbility } from "./snapshot-check.js";
import { currentOf, type Facts, type MadeSnapshot, parseFacts, toStatus } from "./snapshot-facts.js";
import { toldOf } from "../../host/told.js";

/** An asked change that goes on after the call. */
interface AskedWork extends Change {
  readonly requestId: string;
}

/** The snapshots of this host's instances. */
export class Snapshots implements StandardVerbs<Snapshot> {
  readonly #context: AgentContext;
  readonly #made: MadeResources<Snapshot, Facts>;

  constructor(context: AgentContext) {
    this.#context = context;
    this.#made = new MadeResources<Snapshot, Facts>(
      {
        kind: "snapshot",
        changeable: ["labels", "annotations", "spec.description"],
        parseFacts,
        groupOf: ({ instanceUid }) => instanceUid,
        toStatus,
        uses: ({ resource, facts }) =>
          (facts?.volumes ?? []).map((id) => ({ kind: "volume", id, from: resource.name, remedy: "" })),
        checkUpdate: ({ name, spec }) => refuse(checkDescription(spec), name),
      },
      context,
    );
  }

  get source(): ResourceSource {
    return this.#made;
  }

  readonly get = (id: string): Snapshot => this.#made.shown(id);
  readonly list = (): readonly Snapshot[] => this.#made.list();
  readonly update: StandardVerbs<Snapshot>["update"] = (id, asked, change) => this.#made.update(id, asked, change);

  /** Takes up what is on disk; undoes or finishes what was cut short. */
  async restore(): Promise<void> {
    const { instances, logError } = this.#context;
    const access = instances.get();
    const cut = await this.#made.load();
    const known = new Set(access.list().map(({ uid }) => uid));
    for (const { id, resource } of this.#made.all()) {
      if (!known.has(resource.spec.instanceUid)) await this.#made.forget(id);
    }
    for (const made of cut) {
      if (!this.#made.isTaken(made.id)) continue;
      await this.#finish(made).catch((error: unknown) => {
        logError(
          error,
          `what a restart cut short at ${made.resource.name} could not be ended; deleting it tries again`,
        );
      });
    }
    for (const made of this.#made.all()) {
      if (made.facts?.reverting !== true) continue;
      await this.#finishRevert(made, made.facts).catch((error: unknown) => {
        logError(error, `going back to ${made.resource.name} could not be finished; ask for it again`);
      });
    }
    this.#made.publish();
    access.onRemoved(({ uid }) => {
      for (const { id, resource } of this.#made.group(uid)) {
        void this.#made.forget(id).catch((error: unknown) => logError(error, `${resource.name} could not be removed`));
      }
    });
  }

  /** What schedules have taken by themselves. */
  get taker(): Taker {
    return {
      nameOf: (id) => this.#made.nameOf(id),
      take: async ({ id, instance, schedule: { name, memory } }) => {
        const { handle } = this.#context.instances.get().look(instance);
        const spec = { instance, description: `by schedule ${name}`, memory: memory && handle !== undefined };
        const how = { requestId: "", validateOnly: false, caller: "", schedule: name };
        const operation = this.#context.references.nameOf("operation", randomUUID());
        return await this.take(id, Snapshot.fromPartial({ spec }), { ...how, operation });
      },
      taken: (uid, name) =>
        this.#made.group(uid).flatMap(({ id, resource: { spec }, facts, isDoomed }) => {
          if (facts === undefined || isDoomed || spec.schedule !== name) return [];
          return [{ id, timeMs: facts.timeMs, base: "" }];
        }),
      remove: (id, reason) => this.#remove(id, { caller: "", reason }),
    };
  }

  readonly create = async (id: ResourceId, wanted: Snapshot, change: AskedChange): Promise<Operation> => {
    const operation = `${this.#context.references.nameOf("operation", randomUUID())}`;
    return await this.take(id, wanted, { ...change, operation });
  };

  /** Begins to take a snapshot. @throws {ZorError} and then nothing has changed. */
  async take(
    id: string,
    wanted: Snapshot,
    { requestId, validateOnly, caller, operation, schedule = "" }: AskedWork & { operation: string; schedule?: string },
  ): Promise<Operation> {
    const name = this.#made.nameOf(id);
    const spec = checkedSpec(wanted, name);
    if (this.#made.isTaken(id)) throw alreadyExists(name);
    const { instances, operations } = this.#context;
    const access = instances.get();
    access.assertUnclaimed(spec.instance);
    const { subject, ability } = this.#find(spec.instance);
    const { uid } = subject.resource;
    const parent = currentOf(this.#made.group(uid), uid)?.id ?? "";
    const whole = { ...spec, parent, instanceUid: subject.resource.uid, schedule };
    const planned = this.#made.plan(id, wanted, whole, caller);
    const tag = planned.stored.resource.uid;
    await ability.checkSnapshot(subject.instance, subject.handle, { tag, memory: spec.memory });
    const verb = "snapshot.create";
    if (validateOnly) {
      const value = { ...planned.stored.resource, status: undefined };
      return checkedOperation(verb, name, pack({ kind: "snapshot", value }));
    }
    await this.#made.reserve(planned);
    const claim = { what: "kept as a snapshot", operation };
    try {
      return operations.start({
        ...{ verb, target: name, requestId, caller, id: operation.split("/").at(-1) ?? "" },
        work: async (options) => {
          try {
            await access.claim(spec.instance, claim, (claimed) =>
              this.#take(id, claimed, { tag, memory: spec.memory, caller }, options),
            );
          } catch (error) {
            await this.#made.forget(id);
            throw asFailure(error, name, "take");
          }
          return pack({ kind: "snapshot", value: this.#made.shown(id) });
        },
      });
    } catch (error) {
      await this.#made.forget(id);
      throw error;
    }
  }

  /** Takes the instance back. @throws {ZorError} */
  async revert(id: string, { requestId, validateOnly, caller }: AskedWork): Promise<Operation> {
    const made = this.#made.get(id);
    const { name, spec } = made.resource;
    const { facts } = made;
    if (facts === undefined || made.isDoomed) throw notWhole(name);
    const { instances, operations } = this.#context;
    const access = instances.get();
    access.assertUnclaimed(spec.instance);
    this.#find(spec.instance);
    const verb = "snapshot.revert";
    if (validateOnly) return checkedOperation(verb, name);
    const operation = this.#context.references.nameOf("operation", randomUUID());
    const claim = { what: "taken back to a snapshot", operation };
    return operations.start({
      ...{ verb, target: name, requestId, caller, id: operation.split("/").at(-1) ?? "" },
      work: async ({ signal, progress }) => {
        try {
          await access.claim(spec.instance, claim, (claimed) =>
            this.#revert(made, facts, claimed, { signal, progress, caller }),
          );
        } catch (error) {
          throw asFailure(error, name, "go back to");
        }
        this.#made.announce("reverted", id, caller);
        return pack({ kind: "snapshot", value: this.#made.shown(id) });
      },
    });
  }

  readonly delete = async (id: string, { validateOnly, caller }: Change): Promise<void> => {
    const made = this.#made.get(id);
    const { name, spec } = made.resource;
    if (made.facts === undefined && !made.isDoomed && this.#isBusy(spec.instance)) throw notWhole(name);
    const access = this.#context.instances.get();
    access.assertUnclaimed(spec.instance);
    if (!validateOnly) await this.#remove(id, { caller, reason: "" });
  };

  async #remove(id: string, { caller, reason }: { readonly caller: string; readonly reason: string }): Promise<void> {
    const made = this.#made.get(id);
    const { name, spec } = made.resource;
    const claim = { what: "rid of a snapshot", operation: `the deletion of ${name}` };
    try {
      const access = this.#context.instances.get();
      await access.claim(spec.instance, claim, (claimed) => this.#delete(made, claimed.subject()));
    } catch (error) {
      throw asFailure(error, name, "delete");
    }
    this.#made.announce("deleted", id, caller, reason);
  }

  async #take(
    id: string,
    claimed: ClaimedInstance,
    wanted: { readonly tag: string; readonly memory: boolean; readonly caller: string },
    options: { readonly signal: AbortSignal; readonly progress: (step: string, percent: number) => void },
  ): Promise<void> {
    const { ability, subject } = withAbility(claimed.subject());
    options.signal.throwIfAborted();
    const { instance, handle } = subject;
    const {
      sizeBytes,
      consistent,
      extra,
      volumes = [],
    } = await ability.takeSnapshot(instance, handle, wanted, options);
    const timeMs = this.#context.now().getTime();
    try {
      options.signal.throwIfAborted();
      const facts = { sizeBytes, consistent, extra, volumes, timeMs, currentMs: timeMs, reverting: false };
      await this.#made.complete(id, facts, wanted.caller);
    } catch (error) {
      const { handle: now } = claimed.subject();
      await ability.deleteSnapshot(instance, now, wanted, { signal: uninterrupted }).catch((failure: unknown) => {
        this.#context.logError(failure, `what was kept of ${this.#made.nameOf(id)} could not be removed`);
      });
      throw error;
    }
  }

  async #revert(
    { id, resource }: MadeSnapshot,
    facts: Facts,
    claimed: ClaimedInstance,
    options: {
      readonly signal: AbortSignal;
      readonly progress: (step: string, percent: number) => void;
      readonly caller: string;
    },
  ): Promise<void> {
    const { memory } = resource.spec;
    const wanted = { tag: resource.uid, memory, extra: facts.extra };
    const wasRunning = claimed.subject().handle !== undefined;
    const { ability } = withAbility(claimed.subject());
    const whole = { ...options, signal: uninterrupted };
    options.signal.throwIfAborted();
    if (memory) {
      if (!wasRunning) {
        options.progress("starting", 5);
        await claimed.start(options);
      }
      const { instance, handle } = claimed.subject();
      try {
        await ability.revertTo(instance, handle, wanted, whole);
      } catch (error) {
        if (!wasRunning) await claimed.stop(whole);
        throw error;
      }
      await this.#arrive(id, facts);
      await claimed.observe(whole);
      return;
    }
    options.progress("stopping", 10);
    await claimed.stop(whole);
    await this.#made.setFacts(id, { ...facts, reverting: true });
    options.progress("taking the disks back", 30);
    try {
      await ability.revertTo(claimed.subject().instance, undefined, wanted, whole);
    } catch (error) {
      await this.#made.setFacts(id, facts);
      if (wasRunning) await this.#goOn(id, claimed, whole, error);
      throw error;
    }
    await this.#arrive(id, facts);
    if (!wasRunning) return;
    options.progress("starting", 80);
    await claimed.start(whole);
  }

  /** What ran runs again, though going back has failed; that it does not is part of why. */
  async #goOn(id: string, claimed: ClaimedInstance, options: AccessOptions, failure: unknown): Promise<void> {
    try {
      await claimed.start(options);
    } catch (error) {
      const { name } = claimed.subject().resource;
      const message = `${toldOf(failure)}; ${name}, which ran, was stopped for it and could not be started again: ${toldOf(error)}`;
      throw failedPrecondition("REVERT_FAILED", this.#made.nameOf(id), message);
    }
  }

  async #arrive(id: string, facts: Facts): Promise<void> {
    await this.#made.setFacts(id, { ...facts, reverting: false, currentMs: this.#context.now().getTime() });
  }

  async #delete({ id, resource, facts }: MadeSnapshot, subject: InstanceSubject): Promise<void> {
    const { spec, uid: tag } = resource;
    const { ability } = withAbility(subject);
    const wasCurrent = currentOf(this.#made.group(spec.instanceUid), spec.instanceUid)?.id === id;
    await this.#made.doom(id);
    try {
      const wanted = { tag, memory: spec.memory };
      await ability.deleteSnapshot(subject.instance, subject.handle, wanted, { signal: uninterrupted });
    } catch (error) {
      if (facts !== undefined) await this.#made.spare(id);
      throw error;
    }
    // Those taken after it hang from the one before it.
    for (const other of this.#made.group(spec.instanceUid)) {
      if (other.resource.spec.parent !== id) continue;
      await this.#made.setSpec(other.id, { ...other.resource.spec, parent: spec.parent });
    }
    if (wasCurrent && facts !== undefined) await this.#moveCurrent(spec, facts.currentMs);
    await this.#made.forget(id);
  }

  /** The instance descends from the one above now; without one, from none. */
  async #moveCurrent({ parent, instanceUid }: SnapshotSpec, currentMs: number): Promise<void> {
    for (const { id, facts } of this.#made.group(instanceUid)) {
      if (facts === undefined) continue;
      if (id === parent) await this.#made.setFacts(id, { ...facts, currentMs });
      else if (parent === "" && facts.currentMs > 0) await this.#made.setFacts(id, { ...facts, currentMs: 0 });
    }
  }

  /** One whose making or deletion a restart cut short is removed. */
  async #finish(made: MadeSnapshot): Promise<void> {
    const { id, resource, isDoomed } = made;
    const subject = this.#context.instances.get().look(resource.spec.instance);
    await this.#delete(made, subject);
    const how = isDoomed ? "deleted" : "undone";
    const message = isDoomed
      ? "its deletion was cut short by a restart"
      : "it was being taken when the agent was restarted";
    this.#made.report(how, id, message);
  }

  async #finishRevert({ id, resource }: MadeSnapshot, facts: Facts): Promise<void> {
    const { ability, subject } = withAbility(this.#context.instances.get().look(resource.spec.instance));
    if (subject.handle !== undefined) return await this.#made.setFacts(id, { ...facts, reverting: false });
    const wanted = { tag: resource.uid, memory: false, extra: facts.extra };
    const options = { signal: uninterrupted, progress: () => undefined };
    await ability.revertTo(subject.instance, undefined, wanted, options);
    await this.#arrive(id, facts);
    this.#made.report("reverted", id, "going back to it was finished after a restart of the agent; start the instance");
  }

  #isBusy(instance: string): boolean {
    try {
      this.#context.instances.get().assertUnclaimed(instance);
      return false;
    } catch {
      return true;
    }
  }

  #find(instance: string): { readonly subject: InstanceSubject; readonly ability: Snapshottable } {
    return withAbility(this.#context.instances.get().look(instance));
  }
}
