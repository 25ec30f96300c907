import { z } from "zod";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { Wave, WaveItemState } from "../../../proto/gen/zor/v1/wave.js";

/** A program of zor that works on hosts by ssh and tells every step in lines of JSON. */
export interface RolloutTalk {
  /** Sends it a line: "pause", "resume", "cancel", "answer TEXT", "decline". */
  say(line: string): void;
  /** Its exit code. @throws {ZorError} when it cannot be run. */
  readonly ended: Promise<number>;
}

/** Begins one: what it tells, and what else it says. */
export type RolloutRunner = (
  words: readonly string[],
  told: { readonly onLine: (line: string) => void; readonly onSaid: (line: string) => void },
  signal: AbortSignal,
) => RolloutTalk;

/** Something that it has to be told. */
export type RolloutQuestion =
  | { readonly type: "secret"; readonly prompt: string }
  | { readonly type: "confirm"; readonly prompt: string; readonly lines: readonly string[] };

const lineSchema = z.union([
  z.object({
    begins: z.object({
      hosts: z.array(z.string()),
      canaries: z.number(),
      maxParallel: z.number(),
      maxFailures: z.number().optional(),
    }),
  }),
  z.object({ host: z.string(), step: z.string() }),
  z.object({
    ...{ host: z.string(), result: z.string(), changed: z.boolean(), seconds: z.number() },
    ...{ notes: z.array(z.string()), error: z.string() },
  }),
  z.object({ asks: z.enum(["secret", "confirm"]), prompt: z.string(), lines: z.array(z.string()).default([]) }),
  z.object({ paused: z.boolean() }),
  z.object({ cancelled: z.boolean() }),
]);

interface HostNow {
  /** What is being done; "": it has not begun. */
  step: string;
  beganMs: number | undefined;
  /** Set once it is through. */
  end?: { readonly text: string; readonly error: string; readonly seconds: number; readonly notes: readonly string[] };
}

const notBegun = "not begun";
/** Of what else is said so many lines are kept. */
const mostSaid = 50;

/** Something that is done to hosts by ssh, in waves: how far it is, by what its program tells. */
export class Rollout {
  /** "upgrade" */
  readonly verb: string;
  /** Hosts and flags, as they were typed. */
  readonly argv: readonly string[];
  readonly #hosts = new Map<string, HostNow>();
  readonly #said: string[] = [];
  #bounds = { canaries: 0, maxParallel: 0, maxFailures: 0 };
  #isPaused = false;
  #isCancelled = false;
  #code: number | undefined;
  question: RolloutQuestion | undefined;

  constructor(verb: string, argv: readonly string[]) {
    this.verb = verb;
    this.argv = argv;
  }

  get isRunning(): boolean {
    return this.#code === undefined;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Number of hosts that are not through. */
  get left(): number {
    return [...this.#hosts.values()].filter(({ end }) => end === undefined).length;
  }

  /** Number of hosts that are. */
  get through(): number {
    return this.#hosts.size - this.left;
  }

  /** What it said besides its steps, the latest last. */
  get said(): readonly string[] {
    return this.#said;
  }

  /** What is to be known of hosts that are through: "alpha: ...". */
  get notes(): readonly string[] {
    return [...this.#hosts].flatMap(([host, { end }]) => (end?.notes ?? []).map((note) => `${host}: ${note}`));
  }

  /** Number of hosts that what is done was done to. */
  get done(): number {
    return [...this.#hosts.values()].filter(({ end }) => end !== undefined && end.error === "" && end.text !== notBegun)
      .length;
  }

  /** Its program ended while hosts were to be seen to, and nobody wanted that: begun once more, it goes on. */
  get isBrokenOff(): boolean {
    return !this.isRunning && !this.#isCancelled && this.left > 0;
  }

  /** Takes in a line that its program told. True: it says how far it is, other than a number in what is being done. */
  take(line: string, nowMs: number): boolean {
    const told = lineSchema.safeParse(parsed(line));
    if (!told.success) {
      this.hear(line);
      return false;
    }
    const { data } = told;
    const isSame = "step" in data && withoutNumbers(this.#hosts.get(data.host)?.step) === withoutNumbers(data.step);
    this.#take(data, nowMs);
    return !("asks" in data) && !isSame;
  }

  /** Keeps what else it said. */
  hear(line: string): void {
    this.#said.push(line);
    if (this.#said.length > mostSaid) this.#said.shift();
  }

  /** Its program is gone. @param code with which it ended; undefined: nobody saw that. */
  end(code: number | undefined): void {
    this.#code = code ?? 1;
    this.#isPaused = false;
    this.question = undefined;
  }

  /** The same as a wave, which it is: some before all others, so many at a time, up to so many failures. */
  asWave(): Wave {
    const names = [...this.#hosts.keys()].map((host) => `hosts/${host}`);
    const { canaries, maxParallel, maxFailures } = this.#bounds;
    const type = `${this.verb.charAt(0).toUpperCase()}${this.verb.slice(1)}`;
    return Wave.fromPartial({
      spec: { method: `zor.v1.HostService/${type}Host`, names, maxParallel, canary: canaries, maxFailures },
      state: this.#state(),
      paused: this.#isPaused,
      items: [...this.#hosts].map(([host, now]) => ({ name: `hosts/${host}`, ...itemOf(now, this.isRunning) })),
    });
  }

  #state(): OperationState {
    if (this.#code === undefined) return OperationState.OPERATION_STATE_RUNNING;
    if (this.#isCancelled) return OperationState.OPERATION_STATE_CANCELLED;
    return this.#code === 0 ? OperationState.OPERATION_STATE_SUCCEEDED : OperationState.OPERATION_STATE_FAILED;
  }

  #take(told: z.infer<typeof lineSchema>, nowMs: number): void {
    if ("begins" in told) {
      const { hosts, maxFailures = hosts.length, ...bounds } = told.begins;
      this.#bounds = { ...bounds, maxFailures };
      for (const host of hosts) this.#hosts.set(host, { step: "", beganMs: undefined });
    } else if ("asks" in told) this.question = { type: told.asks, prompt: told.prompt, lines: told.lines };
    else if ("paused" in told) this.#isPaused = told.paused;
    else if ("cancelled" in told) [this.#isCancelled, this.#isPaused] = [true, false];
    else {
      const now = this.#hosts.get(told.host) ?? { step: "", beganMs: undefined };
      this.#hosts.set(told.host, now);
      now.beganMs ??= nowMs;
      if ("step" in told) now.step = told.step;
      else now.end = { text: told.result, error: told.error, seconds: told.seconds, notes: told.notes };
    }
  }
}

/** How a host stands, as one of a wave. What it does, or what became of it, stands where the error of a wave does. */
function itemOf({ step, beganMs, end }: HostNow, isRunning: boolean) {
  const beginTime = beganMs === undefined ? undefined : new Date(beganMs);
  if (end === undefined) {
    const { WAVE_ITEM_STATE_PENDING: waits, WAVE_ITEM_STATE_RUNNING: runs } = WaveItemState;
    const { WAVE_ITEM_STATE_SKIPPED: skipped, WAVE_ITEM_STATE_UNCONFIRMED: unconfirmed } = WaveItemState;
    // Its program has ended without a word of it.
    const state = isRunning ? (step === "" ? waits : runs) : step === "" ? skipped : unconfirmed;
    return { state, beginTime, error: { message: step } };
  }
  if (end.text === notBegun) return { state: WaveItemState.WAVE_ITEM_STATE_SKIPPED };
  const endTime = new Date((beganMs ?? 0) + end.seconds * 1000);
  const isFailed = end.error !== "";
  return {
    state: isFailed ? WaveItemState.WAVE_ITEM_STATE_FAILED : WaveItemState.WAVE_ITEM_STATE_SUCCEEDED,
    ...{ beginTime, endTime, error: { message: isFailed ? end.error : end.text } },
  };
}

/** "sends 12 MB" is what "sends 13 MB" is. */
function withoutNumbers(step = ""): string {
  return step.replace(/\d+/g, "");
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
