import { Backoff } from "../../../lib/backoff.js";
import { messageOf } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import type { CablePlugger } from "../plugger.js";
import { BoxClient, boxEngineGone } from "./box-client.js";
import type { BoxesEvent, BoxSpec, BoxView } from "./box-protocol.js";

/** What a session works with. */
export interface BoxSessionOptions {
  /** Control socket of the engine's boxes. */
  readonly socketPath: string;
  /** Begin of the names of all boxes this is about, "hosts/alpha/a2bs/". */
  readonly prefix: string;
  readonly plugger: CablePlugger;
  readonly log: Log;
  /** The engine has told all its boxes; some may be missing. */
  readonly onConnected: () => Promise<void>;
  /** Boxes have changed, by uid; undefined: any may have. */
  readonly onChange: (uids: readonly string[] | undefined) => void;
}

/** What the engine's names of boxes' taps begin with. Boxes of links share the endpoint's name with cables, whose taps are not ours. */
const tapPrefix = "zb";
const redial = { minMs: 50, maxMs: 2_000 } as const;
const plugRetry = { minMs: 500, maxMs: 5_000 } as const;
/** In place of one port: the look at all of them. */
const allPorts = "";

/**
 * The agent's line to the boxes of the cable engine, which somebody else keeps running: connects again for ever, keeps what the
 * engine tells, and plugs the boxes' taps into their lans.
 */
export class BoxSession {
  readonly #options: BoxSessionOptions;
  readonly #ended = new AbortController();
  readonly #views = new Map<string, BoxView>();
  readonly #retries = new Map<string, { readonly backoff: Backoff; timer: NodeJS.Timeout | undefined }>();
  readonly #stopListening: () => void;
  readonly #running: Promise<void>;
  #client: BoxClient | undefined;
  #enginePid = 0;
  /** The engine has told all its boxes. */
  #known = false;
  #plugging: Promise<void> | undefined;
  #plugAgain = false;

  constructor(options: BoxSessionOptions) {
    this.#options = options;
    this.#stopListening = options.plugger.onChange(() => this.#plugSoon());
    this.#running = this.#run();
  }

  /** These boxes by uid, as the engine told them last; none while it is away. */
  get views(): ReadonlyMap<string, BoxView> {
    return this.#views;
  }

  /** 0 while the engine is away. */
  get enginePid(): number {
    return this.#enginePid;
  }

  /** Whether the engine can be asked. */
  get connected(): boolean {
    return this.#known;
  }

  /** Makes or changes a box; durable when it resolves. @throws {ZorError} UNAVAILABLE */
  async ensure(spec: BoxSpec): Promise<void> {
    await this.#ask().ensureBox(spec);
  }

  /** Removes a box, its taps and its ports. Idempotent. @throws {ZorError} UNAVAILABLE */
  async delete(uid: string): Promise<void> {
    const ports = this.#views.get(uid)?.sides.map(({ port }) => port) ?? [];
    await this.#ask().deleteBox(uid);
    this.#views.delete(uid);
    for (const port of ports) await this.#options.plugger.unplug(port);
  }

  /** Lets go of the engine, which keeps its boxes. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#stopListening();
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
    this.#client?.close();
    await this.#running;
    await this.#plugging;
  }

  #ask(): BoxClient {
    if (this.#client === undefined) throw boxEngineGone();
    return this.#client;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    const { socketPath, onChange, onConnected, log } = this.#options;
    const backoff = new Backoff(redial);
    while (!signal.aborted) {
      const snapshot = Promise.withResolvers<void>();
      const client = await BoxClient.connect(socketPath, (event) => {
        this.#onBoxes(event);
        if (event.snapshot) snapshot.resolve();
      });
      if (client === undefined) {
        await backoff.wait(signal);
        continue;
      }
      this.#client = client;
      try {
        await client.watch();
        await Promise.race([snapshot.promise, client.closed]);
        await onConnected();
        backoff.reset();
      } catch (error) {
        log.warn({ error: messageOf(error) }, "the boxes of the cable engine could not be brought up to date");
        client.close();
      }
      if (signal.aborted) client.close();
      await client.closed;
      this.#client = undefined;
      this.#enginePid = 0;
      this.#known = false;
      this.#views.clear();
      onChange(undefined);
      await backoff.wait(signal);
    }
  }

  #onBoxes(event: BoxesEvent): void {
    this.#enginePid = event.pid;
    if (event.snapshot) {
      this.#views.clear();
      this.#known = true;
    }
    // The engine has boxes of others too.
    const boxes = event.boxes.filter(({ spec }) => spec.box.startsWith(this.#options.prefix));
    for (const view of boxes) this.#views.set(view.spec.uid, view);
    for (const uid of event.removed) this.#views.delete(uid);
    this.#options.onChange(event.snapshot ? undefined : boxes.map(({ spec }) => spec.uid));
    this.#plugSoon();
  }

  #plugSoon(): void {
    if (!this.#known || this.#ended.signal.aborted) return;
    this.#plugAgain = true;
    this.#plugging ??= this.#plugAll()
      .catch((error: unknown) => this.#plugFailed(error))
      .finally(() => {
        this.#plugging = undefined;
      });
  }

  /** Nobody waits for a look at all ports; the next one comes by itself. */
  #plugFailed(error: unknown): void {
    this.#options.log.error({ err: error }, "the ports of boxes could not be looked at; trying again");
    const waits = this.#retries.get(allPorts)?.timer !== undefined;
    if (!waits && !this.#ended.signal.aborted) this.#plugLater(allPorts);
  }

  async #plugAll(): Promise<void> {
    while (this.#plugAgain && this.#known && !this.#ended.signal.aborted) {
      this.#plugAgain = false;
      await this.#unplugStale();
      for (const view of [...this.#views.values()]) {
        for (const side of [0, 1] as const) await this.#plug(view, side);
      }
    }
    if (this.#retries.get(allPorts)?.timer === undefined) this.#retries.delete(allPorts);
  }

  /** Ports of boxes that were removed while no agent ran, or one that was killed in the middle. */
  async #unplugStale(): Promise<void> {
    const { plugger, prefix, log } = this.#options;
    const ours = new Set([...this.#views.values()].flatMap(({ sides }) => sides.map(({ port }) => port)));
    for (const { port, endpoint } of plugger.list().flatMap((lan) => lan.ports)) {
      if (!endpoint.startsWith(prefix) || !port.startsWith(tapPrefix) || ours.has(port)) continue;
      await plugger.unplug(port).catch((error: unknown) => {
        log.warn({ port, endpoint, error: messageOf(error) }, "a port of a removed box stays plugged");
      });
    }
  }

  /** Makes the engine's idea of a port true: plugs it when it is not, and tells the engine what came of it. */
  async #plug({ spec, sides, ready, generation }: BoxView, side: 0 | 1): Promise<void> {
    if (!ready || this.#ended.signal.aborted) return;
    const { plugger, log } = this.#options;
    const { port, plugged } = sides[side];
    const lan = spec.lans[side];
    const inLan = plugger.find(lan)?.ports.some((each) => each.port === port && each.error === "") === true;
    if (plugged && inLan) return;
    if (this.#retries.get(port)?.timer !== undefined) return;
    let fault = "";
    try {
      await plugger.plug({ lan, port, endpoint: spec.box });
      this.#retries.delete(port);
    } catch (error) {
      fault = messageOf(error);
      this.#plugLater(port);
    }
    await this.#client?.setPort(spec.uid, side, generation, fault).catch((error: unknown) => {
      // The engine went away, or the box did; both are told otherwise.
      log.debug({ box: spec.box, error: messageOf(error) }, "the engine could not be told of a box's port");
    });
  }

  #plugLater(port: string): void {
    const retry = this.#retries.get(port) ?? { backoff: new Backoff(plugRetry), timer: undefined };
    this.#retries.set(port, retry);
    retry.timer = setTimeout(() => {
      retry.timer = undefined;
      this.#plugSoon();
    }, retry.backoff.nextMs());
  }
}
