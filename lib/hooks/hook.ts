import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { z } from "zod";
import { Event } from "../../proto/gen/zor/v1/event.js";
import type { DeadLetter, Hook as HookMessage } from "../../proto/gen/zor/v1/hook_service.js";
import { Backoff } from "../backoff.js";
import { messageOf, ZorError } from "../errors.js";
import { formatEventId, parseEventId } from "../events/event-id.js";
import type { EventLog } from "../events/event-log.js";
import { readIfExists, writeFileAtomic } from "../files.js";
import { timeLimit } from "../time-limit.js";
import { escapeLine } from "./escape-line.js";
import type { HookConfig } from "./hook-config.js";

/** Delivers an event once. @throws {Error} that says why it could not. */
export type Deliver = (delivery: { readonly id: string; readonly body: string }, signal: AbortSignal) => Promise<void>;

/** What a hook works with. */
export interface HookOptions {
  readonly config: HookConfig;
  /** For people. */
  readonly target: string;
  readonly deliver: Deliver;
  readonly events: EventLog;
  /** Where its position and its dead letters are kept. */
  readonly directory: string;
  /** Told, for people, when an event becomes a dead letter, and when events were lost. */
  readonly onTrouble: (message: string) => void;
  /** How long what is under way has to end when the program ends; default: 2 s. */
  readonly graceMs?: number;
}

/** More of them drop the oldest. */
const mostLetters = 1000;
/** How far it has come is written down so often; what was delivered since is delivered again after a crash. */
const keepMs = 1000;
/** What is under way when the program ends has so long to end; else it is done again by the next start. */
const graceMs = 2000;
/** The same of one that delivers nothing. */
const keepIdleMs = 60_000;

const letterSchema = z.object({
  id: z.string(),
  event: z.unknown(),
  attempts: z.number(),
  error: z.string(),
  timeMs: z.number(),
});
const stateSchema = z.object({ position: z.string(), letters: z.array(letterSchema), retries: z.array(z.string()) });

interface Letter {
  readonly id: string;
  readonly event: Event;
  attempts: number;
  error: string;
  timeMs: number;
}

/**
 * A hook: reads the log of events from where it was, which is its queue, and delivers those that it wants, one after the other. It knows how
 * far it has come over restarts, so that each is delivered at least once, or becomes a dead letter.
 */
export class Hook {
  readonly #options: HookOptions;
  readonly #letters = new Map<string, Letter>();
  readonly #retries = new Set<string>();
  #position: string;
  #delivered = 0;
  #attempts = 0;
  #error = "";
  #wake: (() => void) | undefined;
  #keeping: Promise<void> = Promise.resolve();
  #keptAtMs = 0;
  /** It has done something that is not written down. */
  #isDirty = false;

  private constructor(options: HookOptions, position: string) {
    this.#options = options;
    this.#position = position;
  }

  /** A hook goes on where it was; one that is new begins with what comes. */
  static async open(options: HookOptions): Promise<Hook> {
    const { events, onTrouble, config } = options;
    const hook = new Hook(options, formatEventId({ log: events.id, position: events.last }));
    try {
      const text = await readIfExists(hook.#path);
      if (text !== undefined) hook.#restore(stateSchema.parse(JSON.parse(text)));
      else await hook.#keep();
    } catch (error) {
      onTrouble(`hook ${config.name} begins anew: what it kept cannot be read (${messageOf(error)})`);
    }
    return hook;
  }

  get name(): string {
    return this.#options.config.name;
  }

  /** How it does. */
  get state(): HookMessage {
    const { target } = this.#options;
    const [name, deadLetters] = [this.name, this.#letters.size];
    return {
      name,
      target,
      delivered: BigInt(this.#delivered),
      deadLetters,
      attempts: this.#attempts,
      error: this.#error,
    };
  }

  /** The oldest first. */
  get letters(): readonly DeadLetter[] {
    return [...this.#letters.values()].map(({ timeMs, ...letter }) => ({
      ...letter,
      hook: this.name,
      time: new Date(timeMs),
    }));
  }

  /** Has letters delivered again. @param ids empty: all. Resolves to how many. */
  async retry(ids: readonly string[]): Promise<number> {
    const chosen = this.#choose(ids);
    for (const id of chosen) this.#retries.add(id);
    await this.#keepOrSay();
    this.#wake?.();
    return chosen.length;
  }

  /** Forgets letters. @param ids empty: all. Resolves to how many. */
  async drop(ids: readonly string[]): Promise<number> {
    const chosen = this.#choose(ids);
    for (const id of chosen) this.#forget(id);
    await this.#keepOrSay();
    return chosen.length;
  }

  /** Delivers until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { events, config } = this.#options;
    const wake = (): void => this.#wake?.();
    const stop = events.onAppend(wake);
    signal.addEventListener("abort", wake, { once: true });
    try {
      const after = this.#after();
      if (after + 1 < events.oldest && after > 0) {
        this.#options.onTrouble(`hook ${config.name}: events that it had not come to are not kept any more`);
      }
      while (!signal.aborted) {
        await this.#redeliver(signal);
        await this.#deliverNew(signal);
        if (signal.aborted || this.#retries.size > 0 || this.#after() < events.last) continue;
        if (this.#isDirty || performance.now() - this.#keptAtMs > keepIdleMs) await this.#keepQuietly();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (signal.aborted || this.#retries.size > 0 || this.#after() < events.last) resolve();
        });
        this.#wake = undefined;
      }
    } catch (error) {
      // Nothing of it should fail; a hook that ended silently would be the worst.
      this.#error = messageOf(error);
      this.#options.onTrouble(`hook ${config.name} has ended: ${messageOf(error)}`);
    } finally {
      stop();
      signal.removeEventListener("abort", wake);
      await this.#keepQuietly();
    }
  }

  async #deliverNew(signal: AbortSignal): Promise<void> {
    const { events, config } = this.#options;
    const until = events.last;
    for await (const block of events.read({ after: this.#after() })) {
      for (const { position, event } of block) {
        // What hooks themselves lead to is told to none of them: it would go on for ever.
        const isWanted = !event.type.startsWith("hook.") && config.events.matches(event);
        if (isWanted && !(await this.#deliver(event, signal))) return;
        this.#position = formatEventId({ log: events.id, position });
        if (isWanted && performance.now() - this.#keptAtMs > keepMs) await this.#keepQuietly();
        if (this.#retries.size > 0 || signal.aborted) return;
      }
    }
    if (this.#after() < until) this.#position = formatEventId({ log: events.id, position: until });
  }

  /** Delivers an event, or makes it a dead letter. False: neither, because the signal has aborted. */
  async #deliver(event: Event, signal: AbortSignal): Promise<boolean> {
    const { config, onTrouble } = this.#options;
    const backoff = new Backoff({ minMs: config.retrySeconds * 1000, maxMs: config.maxRetrySeconds * 1000 });
    for (this.#attempts = 1; ; this.#attempts += 1) {
      const error = await this.#attempt(event, signal);
      if (error === undefined) {
        this.#attempts = 0;
        return true;
      }
      if (signal.aborted) return false;
      this.#error = error;
      if (this.#attempts >= config.attempts) break;
      await backoff.wait(signal);
      if (signal.aborted) return false;
    }
    const id = idOf(event);
    const letter = { id, event, attempts: this.#attempts, error: this.#error, timeMs: Date.now() };
    this.#attempts = 0;
    this.#letters.set(id, letter);
    const [oldest] = this.#letters.keys();
    const isTooMany = this.#letters.size > mostLetters && oldest !== undefined;
    if (isTooMany) this.#forget(oldest);
    await this.#keepQuietly();
    const dropped = isTooMany ? `; the oldest of more than ${mostLetters} dead letters was dropped` : "";
    onTrouble(
      `hook ${config.name} could not deliver ${event.name} in ${config.attempts} attempts: ${letter.error}${dropped}`,
    );
    return true;
  }

  /** Letters that are asked for, each once. */
  async #redeliver(signal: AbortSignal): Promise<void> {
    for (const id of [...this.#retries]) {
      if (signal.aborted) return;
      const letter = this.#letters.get(id);
      if (letter !== undefined) {
        const error = await this.#attempt(letter.event, signal);
        // It stays asked for, and the next start does it again.
        if (signal.aborted && error !== undefined) return;
        if (error === undefined) this.#letters.delete(id);
        else Object.assign(letter, { error, attempts: letter.attempts + 1, timeMs: Date.now() });
      }
      this.#retries.delete(id);
      await this.#keepQuietly();
    }
  }

  /** Why it failed; undefined: it did not. */
  async #attempt(event: Event, signal: AbortSignal): Promise<string | undefined> {
    const { config, deliver } = this.#options;
    const body = JSON.stringify({ hook: config.name, event: Event.toJSON(event) });
    const limit = timeLimit(config.timeoutSeconds * 1000);
    using grace = afterwards(signal, this.#options.graceMs ?? graceMs);
    try {
      await deliver({ id: `${config.name}/${event.name}`, body }, AbortSignal.any([grace.signal, limit]));
      this.#delivered += 1;
      this.#isDirty = true;
      this.#error = "";
      return undefined;
    } catch (error) {
      return limit.aborted ? `it took longer than ${config.timeoutSeconds} s` : escapeLine(messageOf(error));
    }
  }

  #choose(ids: readonly string[]): readonly string[] {
    return ids.length === 0 ? [...this.#letters.keys()] : [...new Set(ids)].filter((id) => this.#letters.has(id));
  }

  #forget(id: string): void {
    this.#letters.delete(id);
    this.#retries.delete(id);
  }

  #after(): number {
    const place = parseEventId(this.#position);
    return place?.log === this.#options.events.id ? place.position : 0;
  }

  get #path(): string {
    return join(this.#options.directory, `${this.name}.json`);
  }

  #restore({ position, letters, retries }: z.output<typeof stateSchema>): void {
    this.#position = position;
    for (const { event, ...letter } of letters)
      this.#letters.set(letter.id, { ...letter, event: Event.fromJSON(event) });
    for (const id of retries) this.#retries.add(id);
  }

  /** Writes down how it is; one writing after the other. */
  #keep(): Promise<void> {
    const write = async (): Promise<void> => {
      const letters = [...this.#letters.values()].map((letter) => ({ ...letter, event: Event.toJSON(letter.event) }));
      const state = { position: this.#position, letters, retries: [...this.#retries] };
      this.#isDirty = false;
      await writeFileAtomic(this.#path, `${JSON.stringify(state)}\n`);
      this.#keptAtMs = performance.now();
    };
    const kept = this.#keeping.then(write, write);
    this.#keeping = kept.catch(() => undefined);
    return kept;
  }

  async #keepOrSay(): Promise<void> {
    await this.#keep().catch((error: unknown) => {
      const why =
        "what was asked for is under way, but cannot be written down, so a restart forgets it: free some space";
      throw new ZorError({ reason: "NOT_KEPT", code: status.RESOURCE_EXHAUSTED, message: why, cause: error });
    });
  }

  /** A full disk costs that what was delivered is delivered again after a crash. */
  async #keepQuietly(): Promise<void> {
    await this.#keep().catch((error: unknown) => {
      this.#error = `what it has done cannot be written down: ${messageOf(error)}`;
    });
  }
}

function idOf({ name }: Event): string {
  return name.replace(/^hosts\/([^/]+)\/events\//, "$1.").replace(/^events\//, "");
}

/** A signal that aborts some time after another one. */
function afterwards(signal: AbortSignal, ms: number): Disposable & { readonly signal: AbortSignal } {
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(() => late.abort(), ms);
  };
  if (signal.aborted) late.abort();
  else signal.addEventListener("abort", begin, { once: true });
  return {
    signal: late.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", begin);
    },
  };
}
