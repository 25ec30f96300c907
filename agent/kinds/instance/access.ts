import { parseId } from "../../../lib/names.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { ScheduleStatus } from "../../../proto/gen/zor/v1/schedule.js";
import type {
  AccessOptions,
  Claim,
  ClaimedInstance,
  Identified,
  InstanceAccess,
  InstanceSubject,
  MadeInstance,
  MakingOptions,
} from "../../drivers/instance-access.js";
import { showWires } from "./carriers.js";
import { orEnd } from "./ended-meanwhile.js";
import { assertNotSuspended, assertUnclaimed, specLost } from "./action-checks.js";
import type { InstanceManager } from "./manager.js";
import { observe } from "./observe.js";
import { start, stop } from "./power.js";
import { type InstanceRecord, toDriverInstance, toInstance } from "./record.js";

type Removed = (removed: Identified) => void;
type Changed = (instance: Instance) => void;

/** The instances of this host, as other kinds work with them. */
export class Access implements InstanceAccess {
  readonly #manager: InstanceManager;
  readonly #removed: Removed[] = [];
  readonly #changed: Changed[] = [];

  constructor(manager: InstanceManager) {
    this.#manager = manager;
  }

  list(): readonly Instance[] {
    return this.#manager.list();
  }

  look(id: string): InstanceSubject {
    return toSubject(this.#manager.record(id));
  }

  assertUnclaimed(id: string): void {
    assertUnclaimed(this.#manager.record(id));
  }

  async claim<T>(id: string, claim: Claim, work: (instance: ClaimedInstance) => Promise<T>): Promise<T> {
    const { record, waits } = await this.#manager.inTurn(id, async (found, context) => {
      assertUnclaimed(found);
      assertNotSuspended(found);
      toSubject(found);
      found.claim = claim;
      return { record: found, waits: context.waits };
    });
    const { handle } = record;
    try {
      return await work(this.#claimed(id, record));
    } catch (error) {
      throw await orEnd(record, handle, { failure: error, action: "go on with" });
    } finally {
      record.claim = undefined;
      // Its time may have come meanwhile.
      waits.arm(record);
    }
  }

  async checkNew(wanted: MadeInstance, { caller, signal }: AccessOptions): Promise<void> {
    const options = { caller, signal, validateOnly: true, leaveStopped: true };
    await this.#manager.create({ ...wanted, ...mutable(wanted), id: parseId("instance_id", wanted.id) }, options);
  }

  async make(wanted: MadeInstance, options: MakingOptions): Promise<Instance> {
    const { caller, signal, progress, leaveStopped, fill } = options;
    const id = parseId("instance_id", wanted.id);
    const how = { caller, signal, leaveStopped, fill, validateOnly: false };
    const creation = await this.#manager.create({ ...wanted, ...mutable(wanted), id }, how);
    return await creation.run({ signal, progress });
  }

  onRemoved(listener: Removed): void {
    this.#removed.push(listener);
  }

  onChanged(listener: Changed): void {
    this.#changed.push(listener);
  }

  setSchedules({ id, uid }: Identified, schedules: readonly ScheduleStatus[]): void {
    void this.#manager
      .inTurn(id, async (record, context) => {
        if (record.stored.resource.uid !== uid) return;
        record.schedules = schedules;
        context.publish(record);
      })
      // It has gone meanwhile.
      .catch(() => undefined);
  }

  /** Tells who listens. */
  removed(id: string, uid: string): void {
    for (const listener of this.#removed) listener({ id, uid });
  }

  /** Tells who listens. */
  changed(instance: Instance): void {
    for (const listener of this.#changed) listener(instance);
  }

  /** Tells watchers that an instance was saved. */
  tellSaved(id: string, message: string, caller: string): void {
    void this.#manager
      .inTurn(id, async ({ stored }, context) => {
        const severity = EventSeverity.EVENT_SEVERITY_INFO;
        context.emit({ severity, type: "instance.saved", resource: stored.resource.name, message, caller });
      })
      // It has gone meanwhile.
      .catch(() => undefined);
  }

  /** Ends what an earlier agent left under way at instances that run; that is told. Never rejects. */
  async settleAll(): Promise<void> {
    for (const { name } of this.#manager.list()) {
      const id = name.split("/").at(-1) ?? "";
      await this.#manager
        .inTurn(id, async (record, context) => {
          const { settling } = record.driver;
          if (settling === undefined || record.handle === undefined) return;
          try {
            const done = await settling.settle(toDriverInstance(record), record.handle, { signal: uninterrupted });
            if (done.length === 0) return;
            const message = `the agent was restarted in the middle of work at its disks: ${done.join("; ")}`;
            const severity = EventSeverity.EVENT_SEVERITY_WARNING;
            context.emit({ severity, type: "instance.settled", resource: name, message, caller: "" });
          } catch (error) {
            context.logError(error, `what an earlier agent left under way at ${name} could not be ended`);
          }
        })
        .catch(() => undefined);
    }
  }

  #claimed(id: string, record: InstanceRecord): ClaimedInstance {
    const manager = this.#manager;
    return {
      subject: () => toSubject(record),
      start: (options) => manager.inTurn(id, (found, context) => start(context, found, options)),
      stop: (options) =>
        manager.inTurn(id, async (found, context) => {
          if (found.handle !== undefined) await stop(context, found, options);
        }),
      observe: (options) =>
        manager.inTurn(id, async (found, context) => {
          await observe(context, found, options);
          await showWires(context, found, options.signal);
        }),
    };
  }
}

function mutable({ labels, annotations }: MadeInstance): Pick<Instance, "labels" | "annotations"> {
  return { labels: { ...labels }, annotations: { ...annotations } };
}

function toSubject(record: InstanceRecord): InstanceSubject {
  if (record.specLost) throw specLost(record, "be worked with");
  const { driver, handle, stored } = record;
  const resource = { ...toInstance(record), spec: stored.resource.spec };
  return { resource, driver, instance: toDriverInstance(record), handle };
}
