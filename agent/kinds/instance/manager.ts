import { alreadyExists, notFound } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { AbsentDriver } from "../../drivers/absent-driver.js";
import type { CallOptions, Progress } from "../../drivers/driver.js";
import { inParallel } from "../../kit/in-parallel.js";
import type { Change } from "../../kit/kind.js";
import type { AskedUpdate } from "../../kit/metadata.js";
import type { ResourceSource, Use } from "../../kit/references.js";
import { assertUnclaimed, checkShutdown, isOwn, runningHandle } from "./action-checks.js";
import { type Action, actions, checks } from "./actions.js";
import { carryOutAdoption, planAdoption } from "./adopt-found.js";
import { adopt, hasRebooted } from "./adoption.js";
import type { ActionOptions, InstanceContext } from "./context.js";
import {
  type BuildOptions,
  build,
  checkDelete,
  deleteInstance,
  lansOf,
  usesOf,
  type NewInstance,
  planCreation,
  remove,
  reserve,
} from "./creation.js";
import { Discoveries, type DiscoveriesOptions } from "./discovered.js";
import { endWithHost } from "./end-with-host.js";
import { assertInNoWire, followWires, pluggedOf } from "./carriers.js";
import { collectGarbage } from "./garbage.js";
import { followHeard } from "./heard.js";
import { Neighbours } from "./neighbours.js";
import { News, tellOf } from "./news.js";
import { type AskedMedium, changeMedium } from "./medium-change.js";
import { attach, checkAttach, checkDetach, detach, type NicChange } from "./nic-changes.js";
import { observe } from "./observe.js";
import { followNetwork } from "./follow-network.js";
import { giveUpShutdown, requestShutdown } from "./power.js";
import { type InstanceRecord, toInstance } from "./record.js";
import { InstanceRecords } from "./records.js";
import { Reached } from "./reached.js";
import { SharedNetworks } from "./shared-networks.js";
import { shutDownGuest } from "./shut-down.js";
import type { startAgain } from "./start-again.js";
import { checkSuspend, suspend } from "./suspend.js";
import { Unasked } from "./unasked.js";
import { update } from "./update.js";
import { holdVolumes } from "./volumes.js";

/** Options of calls that only check when asked to. */
export interface Validatable {
  readonly validateOnly: boolean;
}

/** An instance that is reserved and waits to be made. */
export interface Creation {
  readonly instance: Instance;
  /** Makes it; on error or abort nothing of it is left. */
  readonly run: (options: CallOptions & { readonly progress: Progress }) => Promise<Instance>;
  /** Takes the reservation back instead of {@link run}. */
  readonly discard: () => Promise<void>;
}

const parallelAdoptions = 8;
const parallelObservations = 4;

/** The instances of this host: every change of one runs in its own queue, one at a time. */
export class InstanceManager implements ResourceSource {
  readonly #context: InstanceContext;
  readonly #records = new InstanceRecords();
  readonly #queue = new KeyedQueue();
  readonly #onRemoved: (record: InstanceRecord) => void;
  readonly #news = new News();
  readonly #unasked: Unasked;
  readonly #shared = new SharedNetworks((id) => this.#records.get(id));
  /** Ends the starts that nobody asked for. */
  #until: AbortSignal = uninterrupted;
  /** What drivers found and nobody has adopted. */
  readonly discoveries: Discoveries;

  /** @param onRemoved told when an instance is gone. @param discoveries how what is found is told of. */
  constructor(
    context: Omit<InstanceContext, "waits" | "turns" | "neighbours" | "shared">,
    onRemoved: (record: InstanceRecord) => void,
    discoveries: Pick<DiscoveriesOptions, "publish" | "removed">,
  ) {
    this.#onRemoved = onRemoved;
    const publish = (record: InstanceRecord): void => {
      context.publish(record);
      waits.seen(record);
      for (const id of this.#shared.seen(record)) void this.#followShared(id);
      this.#news.tell();
    };
    const waits = new Unasked({
      store: context.store,
      logError: context.logError,
      run: (id, work) => this.#startWaiting(id, work),
    });
    this.#unasked = waits;
    const neighbours = new Neighbours(context.networks);
    this.#context = { ...context, publish, waits, turns: waits.turns, neighbours, shared: this.#shared };
    this.discoveries = new Discoveries(
      { ...context, ...discoveries },
      { hasUid: (uid) => this.#records.findByUid(uid) !== undefined, hasId: (id) => this.#records.has(id) },
    );
  }

  /** Takes up everything that is on disk and runs. Called once, before anything else. */
  async adoptAll(signal: AbortSignal): Promise<void> {
    const { store, boot, now } = this.#context;
    const loaded = await store.load(now());
    const hasEarlierRun = loaded.some(({ handle }) => hasRebooted(this.#context, handle));
    const isNewBoot = await this.#unasked.readBoots({ bootId: boot.id, now: now(), hasEarlierRun });
    await inParallel(loaded, parallelAdoptions, async (each) => {
      const record = await adopt(this.#context, each, { signal, isNewBoot });
      if (record !== undefined) this.#records.add(record);
    });
    await this.#unasked.planBoot(this.#records.all());
    await collectGarbage(this.#context, this.#records.all());
    followWires(this.#context, this.#records, this.#queue);
    followHeard(this.#context, this.#records);
    await this.#context.networks.settle?.();
  }

  /** Starts what is to be started without anybody asking for it: after a boot of the host, and again after its end. Ends with the signal. */
  async startUnasked(signal: AbortSignal): Promise<void> {
    this.#until = signal;
    await this.#unasked.start(this.#records.all(), signal);
  }

  /** All instances, as last observed. */
  list(): Instance[] {
    return [...this.#records.all().map(toInstance), ...this.discoveries.list()];
  }

  /** @throws {ZorError} NOT_FOUND */
  get(id: string): Instance {
    return this.discoveries.find(id) ?? toInstance(this.record(id));
  }

  has(id: string): boolean {
    const record = this.#records.get(id);
    return record !== undefined && record.activity !== "deleting";
  }

  find(id: string): Instance | undefined {
    const record = this.#records.get(id);
    return record === undefined ? this.discoveries.find(id) : toInstance(record);
  }

  /** The lans of all NICs, plugged now or at the next start. */
  uses(): readonly Use[] {
    return this.#records.all().flatMap(usesOf);
  }

  /** Makes something that was found the agent's own. @throws {ZorError} and then nothing has changed. */
  adopt(id: string, { validateOnly, ...options }: ActionOptions & Validatable): Promise<Instance> {
    return this.#queue.run(`hosts/${this.#context.host}/instances/${id}`, async () => {
      const found = this.discoveries.get(id);
      if (found === undefined) throw isOwn(this.record(id));
      const record = planAdoption(this.#context, found, options.caller);
      if (!validateOnly) await this.#adopt(record, options);
      return toInstance(record);
    });
  }

  /** Changes labels, annotations and specification. @throws {ZorError} and then nothing has changed. */
  update(id: string, asked: AskedUpdate<Instance>, change: Change): Promise<Instance> {
    return this.#queued(id, (record) => update(this.#context, record, asked, change));
  }

  /** Checks and reserves a new instance. @throws {ZorError} and then nothing has changed. */
  async create(wanted: NewInstance, options: ActionOptions & Validatable & BuildOptions): Promise<Creation> {
    this.#assertFree(wanted.id);
    const record = await planCreation(this.#context, wanted, options);
    // What was there may have gone while the driver looked at its images.
    this.#assertFree(wanted.id);
    this.#context.references.assertThere(lansOf(record.stored.resource.name, record.stored.resource.spec));
    const { name, spec } = record.stored.resource;
    this.#shared.check(this.#context, wanted.id, spec);
    assertInNoWire(this.#context, name, pluggedOf(spec.nics));
    using _held = holdVolumes(this.#context, record, { spec, before: undefined });
    if (options.validateOnly)
      return { instance: toInstance(record), run: async () => toInstance(record), discard: async () => undefined };
    this.#records.add(record);
    this.#shared.seen(record);
    try {
      await reserve(this.#context, record);
    } catch (error) {
      this.#records.delete(record);
      this.#shared.forget(wanted.id);
      throw error;
    }
    this.#context.publish(record);
    const { caller, leaveStopped, fill } = options;
    return {
      instance: toInstance(record),
      run: ({ signal, progress }) =>
        this.#queue.run(name, async () => {
          try {
            await build(this.#context, record, { signal, caller, progress, leaveStopped, fill });
            return toInstance(record);
          } catch (error) {
            this.#forget(record);
            throw error;
          }
        }),
      discard: async () => {
        await remove(this.#context, record);
        this.#forget(record);
      },
    };
  }

  /** Does something to an instance and resolves to it as then observed. @throws {ZorError} */
  act(action: Action, id: string, options: ActionOptions & Validatable): Promise<Instance> {
    return this.#change(id, async (record) => {
      if (options.validateOnly) checks[action](record);
      else await actions[action](this.#context, record, options);
    });
  }

  /**
   * Asks the guest to shut down, again and again, and waits until it has ended.
   * @throws {ZorError} FAILED_PRECONDITION when it does not within `timeoutMs`, it then runs on; or when something else ended it.
   */
  async shutDown(id: string, options: ActionOptions & { readonly timeoutMs: number }): Promise<void> {
    const record = this.record(id);
    const { name } = record.stored.resource;
    const run = runningHandle(record, "shut down");
    await shutDownGuest(name, {
      ask: (attempt) => this.#change(id, () => requestShutdown(this.#context, record, { ...options, attempt })),
      waitForEnd: (signal) => this.#news.waitFor(() => record.handle?.pid !== run.pid, signal),
      giveUp: () => this.#queue.run(name, () => giveUpShutdown(this.#context, record)),
      lastEnd: () => record.lastEnd,
      ...options,
    });
  }

  /** The host shuts down: ends what runs as it says. Nothing is started any more that nobody asks for. Resolves to how many still run. */
  async endWithHost(report: (text: string) => void, signal: AbortSignal): Promise<number> {
    this.#unasked.close();
    return await endWithHost(this.#records.all(), this, { report, signal });
  }

  /** Keeps the memory of an instance on disk and ends it. @throws {ZorError} and then it runs on. */
  async suspend(id: string, options: ActionOptions & { readonly progress: Progress }): Promise<Instance> {
    return this.#change(id, (record) => suspend(this.#context, record, options));
  }

  /** Checks whether {@link suspend} would be tried. @throws {ZorError} */
  checkSuspend(id: string): void {
    checkSuspend(this.record(id));
  }

  /** Checks whether {@link shutDown} would be tried. @throws {ZorError} */
  checkShutDown(id: string): void {
    checkShutdown(this.record(id));
  }

  /** Deletes an instance. @throws {ZorError} */
  async delete(id: string, options: ActionOptions & Validatable & { readonly force: boolean }): Promise<void> {
    await this.#queued(id, async (record) => {
      assertUnclaimed(record);
      this.#shared.assertUnused(record);
      if (options.validateOnly) {
        checkDelete(this.#context, record, options.force);
        return;
      }
      await deleteInstance(this.#context, record, options);
      this.#forget(record);
      if (record.specLost) await collectGarbage(this.#context, this.#records.all());
    });
  }

  /** Plugs a NIC into a lan. @throws {ZorError} */
  attach(id: string, options: ActionOptions & Validatable & NicChange): Promise<Instance> {
    return this.#change(id, async (record) => {
      if (options.validateOnly) checkAttach(this.#context, record, options);
      else await attach(this.#context, record, options);
    });
  }

  /** Unplugs a NIC from a lan. @throws {ZorError} */
  detach(id: string, options: ActionOptions & Validatable & NicChange): Promise<Instance> {
    return this.#change(id, async (record) => {
      if (options.validateOnly) checkDetach(record, options);
      else await detach(this.#context, record, options);
    });
  }

  /** Changes what lies in a drive. @throws {ZorError} */
  changeMedium(id: string, options: ActionOptions & AskedMedium): Promise<Instance> {
    return this.#change(id, (record) => changeMedium(this.#context, record, options));
  }

  /** An instance to be reached inside. @throws {ZorError} NOT_FOUND */
  reach(id: string): Reached {
    return new Reached(this.record(id), { ...this.#context, isThere: (record) => this.#records.get(id) === record });
  }

  /** Runs work in the queue of an instance. @throws {ZorError} NOT_FOUND */
  inTurn<T>(id: string, work: (record: InstanceRecord, context: InstanceContext) => Promise<T>): Promise<T> {
    return this.#queued(id, (record) => work(record, this.#context));
  }

  /** Observes every instance on which no work is under way. */
  async observeAll(signal: AbortSignal): Promise<void> {
    const idle = this.#records.all().filter(
      ({ activity, driver, claim }) =>
        // QEMU answers nobody while it keeps a machine's memory; that an instance ends is told by an event.
        claim === undefined && (activity === undefined || activity === "stopping") && !(driver instanceof AbsentDriver),
    );
    await inParallel(idle, parallelObservations, (record) => this.#observe(record, signal));
  }

  /** Observes the instance with this uid; nothing happens when there is none. */
  async observeOne(uid: string, signal: AbortSignal): Promise<void> {
    const record = this.#records.findByUid(uid);
    if (record !== undefined) await this.#observe(record, signal);
  }

  /** Tells watchers of something that happened to an instance and is no change of its state. */
  tell(uid: string, news: { readonly type: string; readonly message: string }): void {
    const record = this.#records.findByUid(uid);
    if (record !== undefined) tellOf(this.#context, record, news);
  }

  /** Does nothing when the instance has gone meanwhile. Never rejects. */
  async #startWaiting(id: string, work: typeof startAgain): Promise<void> {
    const record = this.#records.get(id);
    if (record === undefined) return;
    await this.#queue
      .run(record.stored.resource.name, async () => {
        if (this.#records.get(id) === record) await work(this.#context, record, this.#until);
      })
      .catch((error: unknown) => this.#context.logError(error, `${record.stored.resource.name} could not be started`));
  }

  async #adopt(record: InstanceRecord, options: ActionOptions): Promise<void> {
    await carryOutAdoption(this.#context, record, options);
    this.discoveries.adopted(record.stored.id);
    this.#records.add(record);
    this.#context.publish(record);
  }

  async #observe(record: InstanceRecord, signal: AbortSignal): Promise<void> {
    await this.#queue.run(record.stored.resource.name, async () => {
      // It may have been deleted while this waited.
      if (this.#records.get(record.stored.id) !== record) return;
      await observe(this.#context, record, { signal, caller: "" });
      await followNetwork(this.#context, record, signal);
    });
  }

  /** Looks at an instance in whose net namespace's owner something has changed. Never rejects. */
  async #followShared(id: string): Promise<void> {
    const record = this.#records.get(id);
    if (record?.handle === undefined) return;
    const failed = (error: unknown): void => this.#context.logError(error, `instance ${id} could not be looked at`);
    await this.#observe(record, this.#until).catch(failed);
  }

  async #change(id: string, work: (record: InstanceRecord) => Promise<void>): Promise<Instance> {
    return this.#queued(id, async (record) => {
      assertUnclaimed(record);
      await work(record);
      return toInstance(record);
    });
  }

  async #queued<T>(id: string, work: (record: InstanceRecord) => Promise<T>): Promise<T> {
    const { name } = this.record(id).stored.resource;
    // Looked up again when its turn comes: it may have been deleted meanwhile.
    return this.#queue.run(name, () => work(this.record(id)));
  }

  /** @throws {ZorError} NOT_FOUND */
  record(id: string): InstanceRecord {
    const record = this.#records.get(id);
    if (record !== undefined) return record;
    this.discoveries.assertOwn(id);
    throw notFound(`hosts/${this.#context.host}/instances/${id}`, "list them with: zor get instances");
  }

  #assertFree(id: string): void {
    if (this.#records.has(id) || this.discoveries.has(id))
      throw alreadyExists(`hosts/${this.#context.host}/instances/${id}`);
  }

  #forget(record: InstanceRecord): void {
    this.#records.delete(record);
    this.#shared.forget(record.stored.id);
    this.#unasked.forget(record);
    this.#onRemoved(record);
    this.discoveries.released(record.stored.id, record.stored.resource.uid);
    this.#news.tell();
  }
}
