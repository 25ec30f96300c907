import type { OpenLog } from "../../../lib/logs/open-log.js";
import type { ConsoleSession } from "../../../proto/gen/zor/v1/console_service.js";
import type { InstanceStatistics } from "../../../proto/gen/zor/v1/statistics_service.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Detachable } from "../../drivers/abilities/detach.js";
import type { ScreenProtocol, Viewer } from "../../drivers/abilities/screen.js";
import type { LogRequest } from "../../drivers/abilities/logs.js";
import type {
  Abilities,
  CallOptions,
  ConsoleRequest,
  ConsoleStream,
  DriverInstance,
  ExecCommand,
  ExecOutput,
  RecoveryHandle,
} from "../../drivers/driver.js";
import type { Dialled } from "../../network/dial.js";
import type { FromServer } from "../../network/socket-stream.js";
import type { EventDraft } from "../../kit/events.js";
import { runningHandle, unsupported } from "./action-checks.js";
import type { Neighbours } from "./neighbours.js";
import { asFailureOf } from "./ended-meanwhile.js";
import { attempt } from "./power.js";
import { type InstanceRecord, toDriverInstance } from "./record.js";
import { type Carried, ScreenViewers } from "./screen-viewers.js";

/** Of who looks at a console again it is told after this time. */
const lookAgainMs = 60_000;
const maxTold = 64;

/** What a driver can do, and what it does it to. */
interface Able<A extends keyof Abilities> {
  readonly ability: NonNullable<Abilities[A]>;
  readonly instance: DriverInstance;
  readonly handle: RecoveryHandle;
}

/** What reaching needs of the agent around it. */
interface Surroundings {
  readonly emit: (event: EventDraft) => void;
  readonly neighbours: Neighbours;
  /** Tells watchers that the record changed. */
  readonly publish: (record: InstanceRecord) => void;
  /** It has not been deleted meanwhile. */
  readonly isThere: (record: InstanceRecord) => boolean;
}

/** A server that somebody wants to be connected to. */
type Asked = Pick<Dialled, "port" | "input"> & {
  /** IP address; "": any that fits. */
  readonly address: string;
  /** The NIC to come through, from its lan; "": from inside, if that can be. */
  readonly nic: string;
};

/** An instance that is reached inside: nothing of it is changed by that, so nothing of it waits in the instance's queue. */
export class Reached {
  readonly #record: InstanceRecord;
  readonly #emit: (event: EventDraft) => void;
  readonly #neighbours: Neighbours;
  readonly #publish: () => void;

  constructor(record: InstanceRecord, { emit, neighbours, publish, isThere }: Surroundings) {
    this.#record = record;
    this.#publish = () => (isThere(record) ? publish(record) : undefined);
    this.#emit = emit;
    this.#neighbours = neighbours;
  }

  /** Resource name. */
  get name(): string {
    return this.#record.stored.resource.name;
  }

  get uid(): string {
    return this.#record.stored.resource.uid;
  }

  /** Opens the serial console. @throws {ZorError} */
  async openConsole(options: ConsoleRequest): Promise<ConsoleStream> {
    const { ability, instance, handle } = this.#able("console", "show a console");
    if ((options.port ?? 0) > 0 && ability.hasPorts !== true) {
      throw unsupported(this.#record, "have several serial ports");
    }
    return attempt(this.#record, "open the console of", () => ability.openConsole(instance, handle, options));
  }

  /** Opens a log; the instance need not run. @throws {ZorError} */
  async openLog(request: LogRequest): Promise<OpenLog> {
    const { driver, handle } = this.#record;
    const ability = driver.can.logs;
    if (ability === undefined) throw unsupported(this.#record, "keep what they say");
    if (!ability.sources.includes(request.source)) throw unsupported(this.#record, "tell what runs them says");
    if (request.port > 0 && driver.can.console?.hasPorts !== true) {
      throw unsupported(this.#record, "have several serial ports");
    }
    return attempt(this.#record, "read the log of", () =>
      ability.openLog(toDriverInstance(this.#record), handle, request),
    );
  }

  /** Somebody attaches to a console, until the returned function is called. Others see that. */
  attached(session: ConsoleSession): { readonly others: readonly ConsoleSession[]; readonly leave: () => void } {
    const record = this.#record;
    const others = record.consoleSessions ?? [];
    const caller = session.caller;
    const what = `${session.writable ? "the console" : "the console, to look at it"}${session.port === 0 ? "" : ` (port ${session.port})`}`;
    record.consoleSessions = [...others, session];
    this.#publish();
    const isTold = session.writable || this.#isNewLook(`${caller} ${session.port}`, performance.now());
    if (isTold) this.tell("console_attached", `attached to ${what}`, caller);
    return {
      others,
      leave: () => {
        record.consoleSessions = (record.consoleSessions ?? []).filter((each) => each !== session);
        this.#publish();
        if (isTold) this.tell("console_detached", `detached from ${what}`, caller);
      },
    };
  }

  /** Few events are kept: whoever may only look must not be able to have all others go by looking again and again. */
  #isNewLook(key: string, nowMs: number): boolean {
    const told = this.#record.toldLooks ?? new Map<string, number>();
    this.#record.toldLooks = told;
    for (const [each, ms] of told) if (nowMs - ms > lookAgainMs) told.delete(each);
    if (told.has(key) || told.size >= maxTold) return false;
    told.set(key, nowMs);
    return true;
  }

  /** Runs a command inside. @throws {ZorError} */
  async *exec(
    command: ExecCommand,
    options: CallOptions & { readonly resizes?: AsyncIterable<{ columns: number; rows: number }> },
  ): AsyncIterable<ExecOutput> {
    const { ability, instance, handle } = this.#able("exec", "run commands");
    try {
      yield* ability.exec(instance, handle, command, options);
    } catch (error) {
      throw await asFailureOf(this.#record, handle, { error, action: "run a command in" });
    }
  }

  /** Leaves a command running inside; resolves to its pid there. @throws {ZorError} */
  async execDetached(command: Parameters<Detachable["execDetached"]>[2], options: CallOptions): Promise<number> {
    const { ability, instance, handle } = this.#able("detach", "leave commands running");
    return attempt(this.#record, "run a command in", () => ability.execDetached(instance, handle, command, options));
  }

  /** Connects to a server: from inside, or where nothing inside can or a NIC is named, from its lan. @throws {ZorError} */
  async *connect(to: Asked, { signal }: CallOptions): AsyncIterable<FromServer> {
    const { driver, observation } = this.#record;
    const handle = runningHandle(this.#record, "be connected to");
    const instance = toDriverInstance(this.#record);
    const { nics } = instance.spec;
    const isInside = to.nic === "" && driver.can.connect !== undefined && observation.execReady;
    const isVisited = !isInside && (to.nic !== "" || nics.some(({ lan }) => lan !== ""));
    try {
      if (isVisited) {
        const visit = { resource: this.name, nics, through: to.nic, address: to.address, signal };
        yield* this.#neighbours.connect(visit, to);
        return;
      }
      if (driver.can.connect === undefined) throw unsupported(this.#record, "connect to servers inside");
      yield* driver.can.connect.connect(instance, handle, { ...to, address: to.address || "127.0.0.1" }, { signal });
    } catch (error) {
      throw await asFailureOf(this.#record, handle, { error, action: "connect to a server in" });
    }
  }

  /** What the screen shows, as a PNG file. @throws {ZorError} */
  async captureScreen(options: CallOptions): Promise<Uint8Array> {
    const { ability, instance, handle } = this.#able("screen", "show a screen");
    return attempt(this.#record, "take a picture of", () => ability.captureScreen(instance, handle, options));
  }

  /** Reads what it uses. @throws {ZorError} */
  async readStatistics(options: CallOptions): Promise<InstanceStatistics> {
    const { ability, instance, handle } = this.#able(
      "statistics",
      "tell what they use; zor top and zor history have what is measured of it",
    );
    return attempt(this.#record, "read the statistics of", () => ability.readStatistics(instance, handle, options));
  }

  /**
   * Somebody connects to the screen, until the returned function is called with what was carried, or undefined when it was never connected.
   * @throws {ZorError} RESOURCE_EXHAUSTED
   */
  viewing(caller: string, protocol: ScreenProtocol): (carried: Carried | undefined) => void {
    const record = this.#record;
    record.screenViewers ??= new ScreenViewers();
    const leave = record.screenViewers.enter(this.name, { caller, protocol });
    return (carried) => {
      const visit = leave(carried);
      if (visit === undefined) return;
      const how = `${protocol === "vnc" ? "VNC" : "SPICE"}, ${visit.made} connection${visit.made === 1 ? "" : "s"}`;
      this.tell("viewed", `a viewer of the screen left (${how}): ${visit.in} bytes in, ${visit.out} out`, caller);
    };
  }

  /** Connects to the screen. @throws {ZorError} */
  async *connectScreen(viewer: Viewer, options: CallOptions): AsyncIterable<FromServer> {
    const { ability, instance, handle } = this.#able("screen", "show a screen");
    try {
      yield* ability.connectScreen(instance, handle, viewer, options);
    } catch (error) {
      throw await asFailureOf(this.#record, handle, { error, action: "connect to the screen of" });
    }
  }

  /** Tells watchers what somebody did inside. `type` is the event's last part. */
  tell(type: string, message: string, caller: string): void {
    const severity = EventSeverity.EVENT_SEVERITY_INFO;
    this.#emit({ severity, type: `instance.${type}`, resource: this.name, message, caller });
  }

  #able<A extends keyof Abilities>(ability: A, doing: string): Able<A> {
    const found = this.#record.driver.can[ability];
    if (found === undefined) throw unsupported(this.#record, doing);
    const handle = runningHandle(this.#record, doing);
    return { ability: found, instance: toDriverInstance(this.#record), handle };
  }
}
