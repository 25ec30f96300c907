import { Backoff } from "../../lib/backoff.js";
import { messageOf } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import { ControlClient, engineGone } from "../engine/protocol/control-client.js";
import { wantedPorts } from "./engine-ports.js";
import { PlugLoop, type WantedPort } from "./plug-loop.js";
import type { CablePlugger } from "./plugger.js";
import {
  type BoxCalls,
  type BoxesEvent,
  boxProtocol,
  type BoxView,
  type WantedBox,
} from "../engine/protocol/box-protocol.js";

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

/**
 * The agent's line to the boxes of the cable engine, which somebody else keeps running: connects again for ever, keeps what the
 * engine tells, and plugs the boxes' taps into their lans.
 */
export class BoxSession {
  readonly #options: BoxSessionOptions;
  readonly #ended = new AbortController();
  readonly #views = new Map<string, BoxView>();
  readonly #plugs: PlugLoop;
  readonly #running: Promise<void>;
  #client: ControlClient<BoxCalls, BoxesEvent> | undefined;
  #enginePid = 0;
  /** The engine has told all its boxes. */
  #known = false;

  constructor(options: BoxSessionOptions) {
    this.#options = options;
    const { plugger, prefix, log } = options;
    this.#plugs = new PlugLoop({
      plugger,
      what: "boxes",
      wanted: () => this.#wantedPorts(),
      isOurs: ({ port, endpoint }) => endpoint.startsWith(prefix) && port.startsWith(tapPrefix),
      log,
    });
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
  async ensure(spec: WantedBox): Promise<void> {
    await this.#ask().ask("ensureBox", { spec });
  }

  /** Removes a box, its taps and its ports. Idempotent. @throws {ZorError} UNAVAILABLE */
  async delete(uid: string): Promise<void> {
    const ports = this.#views.get(uid)?.ports.map(({ name }) => name) ?? [];
    await this.#ask().ask("deleteBox", { uid });
    this.#views.delete(uid);
    for (const port of ports) await this.#options.plugger.unplug(port);
  }

  /** Lets go of the engine, which keeps its boxes. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#client?.close();
    await Promise.all([this.#running, this.#plugs.close()]);
  }

  #ask(): ControlClient<BoxCalls, BoxesEvent> {
    if (this.#client === undefined) throw engineGone();
    return this.#client;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    const { socketPath, onChange, onConnected, log } = this.#options;
    const backoff = new Backoff(redial);
    while (!signal.aborted) {
      const snapshot = Promise.withResolvers<void>();
      const client = await ControlClient.connect(socketPath, boxProtocol, (event) => {
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
    this.#plugs.soon();
  }

  /** Both taps of each box; undefined: the engine is away. */
  #wantedPorts(): readonly WantedPort[] | undefined {
    if (!this.#known) return undefined;
    const owners = [...this.#views.values()].map(({ spec: { uid, box: endpoint }, ports }) => ({
      uid,
      endpoint,
      ports,
    }));
    return wantedPorts(owners, async (request) => this.#client?.ask("setPort", request));
  }
}
