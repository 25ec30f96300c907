import { randomUUID } from "node:crypto";
import { toMs } from "../../../lib/duration.js";
import { invalidArgument, notFound, resourceExhausted } from "../../../lib/errors.js";
import type { CallContext } from "../../../lib/grpc/service.js";
import { quote } from "../../../lib/names.js";
import { readRealTime } from "../../../lib/real-time.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { CaptureRequest, CaptureResponse } from "../../../proto/gen/zor/v1/capture_service.js";
import type { AgentContext } from "../../parts.js";
import { compileFilter } from "../../network/captures/compile-filter.js";
import { CaptureSession } from "./session.js";
import { type Place, Targets } from "./targets.js";

const mostOfCaller = 4;
const mostOfHost = 16;
const maxTargets = 16;
const snap = { least: 14, most: 262_144 } as const;
const longestMs = 7 * 24 * 3_600_000;
/** So long a capture goes on that nobody reads. */
const graceMs = 30_000;
/** Changes of the network that come together are looked at together. */
const followMs = 100;

/** What a request asks for, checked. */
interface Wanted {
  readonly targets: readonly string[];
  readonly filter: string;
  readonly snapBytes: number;
  readonly maxPackets: number;
  readonly maxBytes: number;
  readonly maxMs: number;
}

/** The captures of this host. They live as long as the agent: a guest or wire never waits for one. */
export class Captures {
  readonly #context: AgentContext;
  readonly #targets: Targets;
  readonly #clockShiftNs: bigint;
  readonly #sessions = new Map<string, CaptureSession>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Captures that are being made, by caller. */
  readonly #begun: string[] = [];
  #following: NodeJS.Timeout | undefined;

  constructor(context: AgentContext) {
    this.#context = context;
    const { scope, references, parts, settings } = context;
    this.#clockShiftNs = parts.clockShiftNs ?? 0n;
    this.#targets = new Targets({
      ...{ scope, references, network: parts.network, netns: settings.netns },
      devices: settings.captureDevices,
    });
  }

  /** Nanoseconds since 1970, by the clock that frames' times are of. */
  nowNs(): bigint {
    return readRealTime() + this.#clockShiftNs;
  }

  async *capture(request: CaptureRequest, { caller, signal }: CallContext): AsyncGenerator<CaptureResponse> {
    const { identity } = caller;
    const session =
      request.captureId === "" ? await this.#begin(request, identity, signal) : this.#own(request.captureId, identity);
    const next = Number(request.nextPacket);
    if (!Number.isSafeInteger(next) || next < 0) throw invalidArgument("next_packet", "must be 0 or more");
    this.#clearTimer(session.id);
    try {
      yield* session.read(next, signal);
    } finally {
      this.#left(session);
    }
  }

  /** Idempotent. */
  async stop(id: string, caller: string): Promise<void> {
    const session = this.#sessions.get(id);
    if (session === undefined || session.caller !== caller) return;
    await session.end("it was stopped");
    if (!session.isRead) this.#forget(id);
  }

  /** The network has changed: devices may be there that were not, or be others. */
  follow(): void {
    if (this.#sessions.size === 0 || this.#following !== undefined) return;
    this.#following = setTimeout(() => {
      this.#following = undefined;
      for (const session of this.#sessions.values()) session.follow();
    }, followMs);
  }

  async close(): Promise<void> {
    clearTimeout(this.#following);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await Promise.all([...this.#sessions.values()].map((session) => session.end("the agent ended")));
    for (const id of this.#sessions.keys()) this.#forget(id);
  }

  #own(id: string, caller: string): CaptureSession {
    const session = this.#sessions.get(id);
    // Whose it is is nobody else's business.
    if (session !== undefined && session.caller === caller) return session;
    const remedy = `what is not read for ${graceMs / 1000} s ends, and so does all with the agent; begin another`;
    throw notFound(`hosts/${this.#context.host}: capture ${quote(id)}`, remedy);
  }

  async #begin(request: CaptureRequest, caller: string, signal: AbortSignal): Promise<CaptureSession> {
    const wanted = this.#check(request);
    this.#assertRoom(caller);
    this.#begun.push(caller);
    try {
      const program = await compileFilter(wanted, this.#context.host, signal);
      const id = randomUUID();
      const session = new CaptureSession({
        ...{ id, caller, program, startTime: new Date(Number(this.nowNs() / 1_000_000n)) },
        ...{ snapBytes: wanted.snapBytes, maxPackets: wanted.maxPackets, maxBytes: wanted.maxBytes },
        clockShiftNs: this.#clockShiftNs,
        places: () => this.#places(wanted.targets),
        onFault: (message) => this.#context.log.warn({ capture: id, caller, message }, "a capture is not whole"),
        onEnd: (told) => this.#ended(id, { caller, ...told }),
      });
      this.#sessions.set(id, session);
      this.#limit(session, wanted.maxMs);
      this.#tellBegin(wanted, caller);
      return session;
    } finally {
      this.#begun.splice(this.#begun.indexOf(caller), 1);
    }
  }

  #check(request: CaptureRequest): Wanted {
    const { targets, filter, snapBytes: asked } = request;
    if (targets.length < 1 || targets.length > maxTargets)
      throw invalidArgument("targets", `must be 1 to ${maxTargets}, not ${targets.length}`);
    if (new Set(targets).size < targets.length) throw invalidArgument("targets", "name each but once");
    const snapBytes = asked === 0 ? snap.most : asked;
    if (snapBytes < snap.least || snapBytes > snap.most)
      throw invalidArgument("snap_bytes", `${asked} is not between ${snap.least} and ${snap.most}`);
    for (const target of targets) {
      this.#targets.places(target);
      this.#targets.checkLink(target);
    }
    const maxMs = toMs(request.maxDuration);
    if (maxMs < 0 || maxMs > longestMs) throw invalidArgument("max_duration", "must be from 0 to 7 days");
    const limits = {
      maxPackets: limitOf("max_packets", request.maxPackets),
      maxBytes: limitOf("max_bytes", request.maxBytes),
    };
    return { targets, filter, snapBytes, ...limits, maxMs };
  }

  #assertRoom(caller: string): void {
    const callers = [...[...this.#sessions.values()].map((session) => session.caller), ...this.#begun];
    const host = `hosts/${this.#context.host}`;
    const own = callers.filter((each) => each === caller).length;
    if (own >= mostOfCaller)
      throw resourceExhausted(
        "TOO_MANY_CAPTURES",
        `you have ${own} captures on ${host}, which is all that may be; end one first`,
        host,
      );
    if (callers.length >= mostOfHost)
      throw resourceExhausted(
        "TOO_MANY_CAPTURES",
        `${host} has ${callers.length} captures, which is all that may be; try again when one has ended`,
        host,
      );
  }

  /** Where all targets pass now; what was deleted meanwhile passes nothing. */
  #places(targets: readonly string[]): readonly Place[] {
    return targets.flatMap((target) => {
      try {
        return this.#targets.places(target);
      } catch {
        return [];
      }
    });
  }

  #limit(session: CaptureSession, maxMs: number): void {
    if (maxMs === 0) return;
    const timer = setTimeout(() => void session.end(`${maxMs / 1000} s`), maxMs);
    this.#timers.set(`limit ${session.id}`, timer);
  }

  /** The reader has gone: the call was lost, or it was all. */
  #left(session: CaptureSession): void {
    if (session.isRead) return;
    if (session.isOver) this.#forget(session.id);
    else this.#forgetLater(session);
  }

  /** Who lost its call may go on with it for a while, also with what is over. */
  #forgetLater(session: CaptureSession): void {
    this.#clearTimer(session.id);
    const end = async (): Promise<void> => {
      await session.end(`nobody has read it for ${graceMs / 1000} s`);
      if (!session.isRead) this.#forget(session.id);
    };
    this.#timers.set(
      session.id,
      setTimeout(() => void end(), graceMs),
    );
  }

  #forget(id: string): void {
    this.#clearTimer(id);
    this.#sessions.delete(id);
  }

  #ended(id: string, told: { caller: string; reason: string; packets: number; dropped: number }): void {
    this.#clearTimer(`limit ${id}`);
    const { caller, reason, packets, dropped } = told;
    this.#event("capture.ended", `a capture has ended (${reason}): ${packets} frames, ${dropped} dropped`, caller);
  }

  #tellBegin({ targets, filter }: Wanted, caller: string): void {
    const which = filter === "" ? "all frames" : `frames that are ${quote(filter, { maxCharacters: 200 })}`;
    this.#event("capture.started", `${caller} captures ${which} of ${targets.join(", ")}`, caller);
  }

  #event(type: string, message: string, caller: string): void {
    const severity = EventSeverity.EVENT_SEVERITY_INFO;
    const resource = `hosts/${this.#context.host}`;
    this.#context.publisher.event({ severity, type, resource, message, caller });
    this.#context.log.info({ caller, type }, message);
  }

  #clearTimer(key: string): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }
}

function limitOf(field: string, value: bigint): number {
  if (value < 0n) throw invalidArgument(field, "must be 0 or more");
  return value === 0n ? Number.POSITIVE_INFINITY : Number(value);
}
