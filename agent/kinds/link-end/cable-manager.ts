import { join } from "node:path";
import { AsyncQueue } from "../../../lib/async-queue.js";
import { Backoff } from "../../../lib/backoff.js";
import { messageOf, notFound, unavailable } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import { endProcess } from "../../../lib/process.js";
import { parseHostPort } from "../../../lib/socket-address.js";
import { PlugLoop, type WantedPort } from "../../cable/plug-loop.js";
import type { CablePlugger } from "../../cable/plugger.js";
import { diagnoseCable } from "./diagnose.js";
import type { Hop } from "./diagnosis.js";
import { ensureEngine, type RunningEngine } from "../../cable/engine-process.js";
import { DirectPath, type EndSpec } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import type { SetPortRequest } from "../../../proto/gen/zor/agent/v1/engine.js";
import { LinkCause, LinkPath, LinkState } from "../../../proto/gen/zor/v1/link.js";
import type { EndsEvent, EndView } from "../../engine/protocol/end-protocol.js";
import { isPluggedEnd } from "../../../lib/link-end.js";
import { NicCarriers } from "./nic-carriers.js";
import { wantedPorts } from "../../cable/engine-ports.js";
import { ensureCableIdentity } from "../../cable/ensure-cable-identity.js";

/** What a {@link CableManager} works with. */
export interface CableManagerOptions {
  /** State directory of the agent; the engine's files are in "cable" below. */
  readonly stateDirectory: string;
  /** "ip:port" of the data port of all cables; port 0: any, for tests. */
  readonly cableListen: string;
  /** Net namespace of the switch; undefined: the agent's own, for tests. */
  readonly netns: string | undefined;
  /** Net namespace of the engine's sockets; undefined: the agent's own. */
  readonly underlayNetns?: string;
  /** Links may go without encryption; default: no. */
  readonly allowPlainLinks?: boolean;
  /**
   * The switch takes UDP super-frames (UDP_SEGMENT, USO), so they may cross cables whole when the other end's does as well. Default:
   * no, the kernel cuts them up before the cable. Open vSwitch's userspace datapath drops them, its kernel datapath takes them.
   */
  readonly udpSuperFrames?: boolean;
  readonly plugger: CablePlugger;
  readonly log: Log;
}

const restart = { minMs: 100, maxMs: 10_000 } as const;
/** An engine that ran for so long is started again at once. */
const steadyMs = 10_000;
/** An engine that tests an end answers within these; a hub waits for all hops of a host 15 s. */
const helloMs = 4_000;
const diagnoseMs = 8_000;
/** Names of cables' taps; ports of links between lans of one host have others. */
const tapPrefix = "zc";
const maxWaitingEvents = 1_000;

/** The agent's side of cables: keeps the engine running and its taps plugged into their lans. */
export class CableManager {
  readonly #options: CableManagerOptions;
  readonly #keySha256: Buffer;
  readonly #ended = new AbortController();
  readonly #watchers = new Set<AsyncQueue<EndsEvent>>();
  readonly #ends = new Map<string, EndView>();
  readonly #plugs: PlugLoop;
  readonly #carriers: NicCarriers;
  #engine: RunningEngine;
  #looking: Promise<void>;
  /** The engine has told all its ends at least once. */
  #known = false;

  private constructor(options: CableManagerOptions, keySha256: Buffer, engine: RunningEngine) {
    this.#options = options;
    this.#keySha256 = keySha256;
    this.#engine = engine;
    this.#looking = Promise.resolve();
    this.#carriers = new NicCarriers((link, carrier) => options.plugger.setCarrier?.(link, carrier));
    this.#plugs = new PlugLoop({
      plugger: options.plugger,
      what: "cables",
      wanted: () => this.#wantedPorts(),
      isOurs: ({ port, endpoint }) => endpoint.startsWith("links/") && port.startsWith(tapPrefix),
      log: options.log,
    });
  }

  /** Adopts the running engine or starts one. */
  static async open(options: CableManagerOptions, signal: AbortSignal): Promise<CableManager> {
    const { log } = options;
    const directory = join(options.stateDirectory, "cable");
    const { keySha256 } = await ensureCableIdentity(directory, (damage) => log.error(damage));
    let manager: CableManager | undefined;
    const early: EndsEvent[] = [];
    const onEnds = (event: EndsEvent): void => {
      if (manager === undefined) early.push(event);
      else manager.#onEnds(event);
    };
    const { cableListen: listen, netns, underlayNetns, allowPlainLinks = false, udpSuperFrames = false } = options;
    const settings = { directory, listen, netns, underlayNetns, allowPlainLinks, udpSuperFrames, keySha256 };
    const engine = await ensureEngine(settings, onEnds, signal);
    manager = new CableManager(options, keySha256, engine);
    for (const event of early) manager.#onEnds(event);
    manager.#greet(engine);
    await engine.client.watch();
    await manager.#plugNics();
    manager.#looking = manager.#lookAfter(settings, onEnds);
    return manager;
  }

  /** What other hosts must know to make a cable to this one. */
  identity(): { readonly keySha256: Buffer; readonly port: number } {
    return { keySha256: this.#keySha256, port: parseHostPort(this.#engine.hello.listen)?.port ?? 0 };
  }

  /** Process id of the engine. */
  get enginePid(): number {
    return this.#engine.hello.pid;
  }

  /** Makes or changes an end; durable when it resolves. @throws {ZorError} NOT_FOUND: no such lan; UNAVAILABLE: the engine is away. */
  async ensureEnd(spec: EndSpec): Promise<EndView> {
    const { plugger } = this.#options;
    if (plugger.find(spec.lan) === undefined)
      throw notFound(`lans/${spec.lan}`, "create it first, or list them with: zor get lans");
    plugger.assertFree?.(spec.lan, spec.link);
    await plugger.examine?.(spec.lan);
    const view = await this.#engine.client.ask("ensureEnd", { end: spec });
    this.#onEnds({ ends: [view], removed: [], snapshot: false });
    return view;
  }

  /** Removes an end and its tap. With a uid, only that link's. Idempotent. */
  async deleteEnd(link: string, linkUid: string): Promise<void> {
    const view = this.#ends.get(link);
    await this.#engine.client.ask("deleteEnd", { link, linkUid });
    if (view === undefined || (linkUid !== "" && view.status.linkUid !== linkUid)) return;
    this.#onEnds({ ends: [], removed: [link], snapshot: false });
    await this.#options.plugger.unplug(view.port.name);
  }

  /** Tests the hops of an end, in order. @param token of the test with frames; empty: none are sent. @throws {ZorError} NOT_FOUND */
  diagnose(link: string, token?: Buffer): AsyncIterable<Hop> {
    const view = this.#ends.get(link);
    if (view === undefined) throw notFound(link, "this host has no end of it");
    const { plugger, netns } = this.#options;
    const { client } = this.#engine;
    const { linkUid } = view.status;
    const ask = async () => ({
      hello: await client.ask("hello", {}, { timeoutMs: helloMs }),
      diagnosis: await client.ask("diagnose", { linkUid }, { timeoutMs: diagnoseMs }),
    });
    return diagnoseCable(view, { plugger, netns, token, ask });
  }

  /** All ends as last told by the engine; while it is away, as they were. */
  list(): readonly EndView[] {
    return [...this.#ends.values()];
  }

  /** All ends now, then changes and, every second, figures. A reader that is too slow gets an error and can watch again. */
  async *watch(signal: AbortSignal): AsyncIterable<EndsEvent> {
    const queue = new AsyncQueue<EndsEvent>(maxWaitingEvents);
    queue.push({ ends: this.list(), removed: [], snapshot: true });
    this.#watchers.add(queue);
    const stop = (): void => queue.end();
    const both = AbortSignal.any([signal, this.#ended.signal]);
    both.addEventListener("abort", stop);
    if (both.aborted) stop();
    try {
      yield* queue;
    } finally {
      both.removeEventListener("abort", stop);
      this.#watchers.delete(queue);
    }
  }

  /** What is said of links in which NICs are is known before instances are taken up, which then show their guests the carrier they had. */
  async #plugNics(): Promise<void> {
    const { plugger, log } = this.#options;
    for (const { status, port } of this.list()) {
      if (!port.ready || !isPluggedEnd(port.lan)) continue;
      await plugger
        .plug({ lan: port.lan, port: port.name, endpoint: status.link })
        .catch((error: unknown) =>
          log.warn({ link: status.link, error: messageOf(error) }, "a NIC is not in its link"),
        );
    }
  }

  /** Lets go of the engine, which keeps running. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#carriers.close();
    this.#engine.client.close();
    await Promise.all([this.#looking, this.#plugs.close()]);
  }

  /** Ends the engine and with it all taps and connections; the ends stay on disk. For hosts that are taken out of service, and tests. */
  async destroy(): Promise<void> {
    const { hello } = this.#engine;
    await this.close();
    await endProcess(hello, 5_000);
  }

  /** Starts the engine again, with back-off, whenever it has gone. */
  async #lookAfter(settings: Parameters<typeof ensureEngine>[0], onEnds: (event: EndsEvent) => void): Promise<void> {
    const { signal } = this.#ended;
    const backoff = new Backoff(restart);
    while (!signal.aborted) {
      const sinceMs = performance.now();
      await this.#engine.client.closed;
      if (signal.aborted) return;
      this.#onEngineGone();
      if (performance.now() - sinceMs > steadyMs) backoff.reset();
      await backoff.wait(signal);
      try {
        const engine = await ensureEngine(settings, onEnds, signal);
        if (signal.aborted) return engine.client.close();
        this.#engine = engine;
        this.#greet(engine);
        await engine.client.watch();
      } catch (error) {
        this.#options.log.error({ error: messageOf(error) }, "the cable engine could not be started; trying again");
      }
    }
  }

  /** Without engine there is no cable: says so rather than what was last known. */
  #onEngineGone(): void {
    this.#options.log.warn({ pid: this.#engine.hello.pid }, "the cable engine ended; starting it again");
    const ends = this.list().map((view) => withoutEngine(view, new Date()));
    if (ends.length > 0) this.#onEnds({ ends, removed: [], snapshot: false });
  }

  #greet({ hello, adopted }: RunningEngine): void {
    const { pid, listen, version } = hello;
    this.#options.log.info({ pid, listen, version }, adopted ? "cable engine adopted" : "cable engine started");
    for (const warning of hello.warnings) this.#options.log.error(warning);
  }

  #onEnds({ ends, removed, snapshot }: EndsEvent): void {
    const event: EndsEvent = { ends, removed, snapshot };
    this.#known ||= snapshot;
    if (snapshot) this.#ends.clear();
    for (const view of ends) this.#ends.set(view.status.link, view);
    for (const link of removed) this.#ends.delete(link);
    const gone = snapshot ? this.#carriers.links.filter((link) => !this.#ends.has(link)) : removed;
    this.#carriers.forget(gone);
    this.#carriers.follow(ends);
    for (const queue of this.#watchers) {
      if (!queue.push(event)) {
        queue.fail(unavailable("WATCH_OVERFLOW", "", "the watch was read too slowly; watch again"));
        this.#watchers.delete(queue);
      }
    }
    this.#plugs.soon();
  }

  /** The taps of all ends; undefined: the engine has not told them. */
  #wantedPorts(): readonly WantedPort[] | undefined {
    if (!this.#known) return undefined;
    const owners = this.list().map(({ status, port }) => ({
      uid: status.linkUid,
      endpoint: status.link,
      ports: [port],
    }));
    return wantedPorts(owners, async (request) => {
      this.#notePlugged(request);
      await this.#engine.client.ask("setPort", request);
    });
  }

  /** Holds until the engine tells of the end again. */
  #notePlugged({ uid, generation, fault }: SetPortRequest): void {
    const view = this.list().find(({ status }) => status.linkUid === uid);
    if (view?.port.generation !== generation) return;
    this.#ends.set(view.status.link, { ...view, port: { ...view.port, plugged: fault === "" } });
  }
}

function withoutEngine(view: EndView, now: Date): EndView {
  const { status, port } = view;
  const { end } = status;
  const isDown = end.state === LinkState.LINK_STATE_DOWN;
  return {
    ...view,
    status: {
      ...status,
      direct: DirectPath.DIRECT_PATH_UNSPECIFIED,
      directReason: "",
      end: {
        ...end,
        state: LinkState.LINK_STATE_DOWN,
        cause: LinkCause.LINK_CAUSE_ENGINE,
        reason: "the cable engine of this host ended and is being started again",
        sinceTime: isDown ? end.sinceTime : now,
        nextTryTime: undefined,
        path: LinkPath.LINK_PATH_UNSPECIFIED,
        localAddress: "",
        remoteAddress: "",
        protection: "",
        rtt: undefined,
        rttP99: undefined,
        lossRatio: 0,
        mtuProven: 0,
        txBps: 0n,
        rxBps: 0n,
      },
    },
    port: { ...port, ready: false, plugged: false },
  };
}
