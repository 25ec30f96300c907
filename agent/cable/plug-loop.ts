import { Backoff } from "../../lib/backoff.js";
import { messageOf } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import type { CablePlugger } from "./plugger.js";
import { toldOf } from "../host/told.js";

/** A tap of the cable engine that belongs into a lan. */
export interface WantedPort {
  /** Id of the lan. */
  readonly lan: string;
  /** Name of the tap in the switch's namespace. */
  readonly port: string;
  /** Resource name of what the tap belongs to. */
  readonly endpoint: string;
  /** The tap exists: it can be plugged. */
  readonly ready: boolean;
  /** The engine knows that it is plugged. */
  readonly plugged: boolean;
  /** Tells the engine what came of plugging it: why it is not, or "" when it is. It rejects when the engine is away or has forgotten the tap. */
  readonly tell: (fault: string) => Promise<void>;
}

/** What a {@link PlugLoop} works with. */
export interface PlugLoopOptions {
  readonly plugger: CablePlugger;
  /** What the ports are of, for the log, such as "cables". */
  readonly what: string;
  /** All taps of the engine as it told them last; undefined: it has not told them. */
  readonly wanted: () => readonly WantedPort[] | undefined;
  /** Whether a port of a lan is one of these taps: those that are not wanted any more are unplugged. */
  readonly isOurs: (port: { readonly port: string; readonly endpoint: string }) => boolean;
  readonly log: Log;
}

interface Retry {
  readonly backoff: Backoff;
  timer: NodeJS.Timeout | undefined;
}

const retryMs = { minMs: 500, maxMs: 5_000 } as const;
/** In place of one port: the look at all of them. */
const allPorts = "";

/**
 * Keeps the taps of the cable engine plugged into their lans: one look at all of them at a time, and one more when something changed
 * meanwhile. What fails is tried again, with back-off.
 */
export class PlugLoop {
  readonly #options: PlugLoopOptions;
  readonly #retries = new Map<string, Retry>();
  readonly #stopListening: () => void;
  #looking: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(options: PlugLoopOptions) {
    this.#options = options;
    this.#stopListening = options.plugger.onChange(() => this.soon());
  }

  /** Something has changed at the taps. Changes of the lans are noticed without. */
  soon(): void {
    if (this.#closed) return;
    this.#again = true;
    this.#looking ??= this.#lookWhileChanging();
  }

  /** Ends it; what is plugged stays. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
    await this.#looking;
  }

  /** Nobody waits for it, so it must not reject. */
  async #lookWhileChanging(): Promise<void> {
    const { log, what } = this.#options;
    try {
      while (this.#again && !this.#closed) {
        this.#again = false;
        await this.#look();
      }
      if (this.#retries.get(allPorts)?.timer === undefined) this.#retries.delete(allPorts);
    } catch (error) {
      log.error({ err: error }, `the ports of ${what} could not be looked at; trying again`);
      this.#later(allPorts);
    } finally {
      this.#looking = undefined;
    }
  }

  async #look(): Promise<void> {
    const ports = this.#options.wanted();
    if (ports === undefined) return;
    const wanted = new Set(ports.map(({ port }) => port));
    this.#forgetRetries(wanted);
    await this.#unplugStale(wanted);
    for (const port of ports) await this.#plug(port);
  }

  /** Ports of what was removed while no agent ran, or one that was killed in the middle. */
  async #unplugStale(wanted: ReadonlySet<string>): Promise<void> {
    const { plugger, isOurs, log, what } = this.#options;
    const ports = plugger.list().flatMap((lan) => lan.ports);
    for (const stale of ports.filter((port) => isOurs(port) && !wanted.has(port.port))) {
      const { port, endpoint } = stale;
      await plugger.unplug(port).catch((error: unknown) => {
        log.warn({ port, endpoint, error: messageOf(error) }, `a port of removed ${what} stays plugged`);
      });
    }
  }

  /** Makes the engine's idea of the port true: plugs it when it is not, and tells the engine what came of it. */
  async #plug({ lan, port, endpoint, ready, plugged, tell }: WantedPort): Promise<void> {
    const { plugger, log, what } = this.#options;
    if (!ready || this.#closed) return;
    const found = plugger.find(lan);
    const inLan = found?.ports.some((each) => each.port === port && each.error === "") === true;
    const isGood = inLan && (found?.fault ?? "") === "";
    // What has become good is told at once, whatever it waits for.
    if (isGood ? plugged : this.#retries.get(port)?.timer !== undefined) return;
    let fault = "";
    try {
      await plugger.plug({ lan, port, endpoint });
      // A port in a lan that forwards nothing is of no use: the cable says so.
      fault = plugger.find(lan)?.fault ?? "";
      if (fault === "") this.#forgetRetry(port);
      else this.#later(port);
    } catch (error) {
      fault = toldOf(error);
      this.#later(port);
    }
    await tell(fault).catch((error: unknown) => {
      // The engine went away and makes the tap anew, or it has forgotten the tap: it tells so itself.
      log.debug({ port, endpoint, error: messageOf(error) }, `the engine of ${what} could not be told of a port`);
    });
  }

  /** Looks again after a while; until then the port is left alone. */
  #later(port: string): void {
    const retry = this.#retries.get(port) ?? { backoff: new Backoff(retryMs), timer: undefined };
    if (retry.timer !== undefined || this.#closed) return;
    this.#retries.set(port, retry);
    retry.timer = setTimeout(() => {
      retry.timer = undefined;
      this.soon();
    }, retry.backoff.nextMs());
  }

  #forgetRetries(wanted: ReadonlySet<string>): void {
    for (const port of this.#retries.keys()) if (port !== allPorts && !wanted.has(port)) this.#forgetRetry(port);
  }

  #forgetRetry(port: string): void {
    clearTimeout(this.#retries.get(port)?.timer);
    this.#retries.delete(port);
  }
}
