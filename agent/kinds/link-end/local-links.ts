import { createHash } from "node:crypto";
import { join } from "node:path";
import { pause } from "../../../lib/backoff.js";
import { notFound, unavailable } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import type { DropProgram } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { A2bSpec, A2bState } from "../../../proto/gen/zor/v1/a2b.js";
import { type BoxView, boxSocket } from "../../engine/protocol/box-protocol.js";
import { BoxSession } from "../../cable/box-session.js";
import type { CablePlugger } from "../../cable/plugger.js";
import { diagnoseLocal } from "./diagnose.js";
import type { LocalLinkSpec, LocalLinkView } from "./local-link.js";
import type { Hop } from "./diagnosis.js";

/** Somebody who is told of changes. */
export type LocalLinksListener = (changed: readonly LocalLinkView[], removed: readonly string[]) => void;

const prefix = "links/";
/** How long an engine that was just started may take to tell its boxes, and to make one. */
const settleMs = 5_000;
const settlePollMs = 20;

/** The links between lans of this host: boxes of the cable engine, which keeps them on disk. */
export class LocalLinks {
  readonly #session: BoxSession;
  readonly #plugger: CablePlugger;
  readonly #netns: string | undefined;
  readonly #listeners = new Set<LocalLinksListener>();
  readonly #ended = new AbortController();
  /** By name, as last told: what is known outlives the engine. */
  readonly #views = new Map<string, LocalLinkView>();

  /** @param options.stateDirectory of the agent. The engine is kept running by others. */
  constructor(options: {
    readonly stateDirectory: string;
    /** Net namespace of the switch. */
    readonly netns: string | undefined;
    readonly plugger: CablePlugger;
    readonly log: Log;
  }) {
    this.#plugger = options.plugger;
    this.#netns = options.netns;
    this.#session = new BoxSession({
      socketPath: join(options.stateDirectory, "cable", boxSocket),
      prefix,
      plugger: options.plugger,
      log: options.log,
      onConnected: async () => undefined,
      onChange: (uids) => this.#onChange(uids),
    });
  }

  /** Process id of the engine; 0 while it is away. */
  get enginePid(): number {
    return this.#session.enginePid;
  }

  /** Waits, for a bounded time, until the engine has told what it has. */
  async ready(): Promise<void> {
    await this.#eventually(() => this.#session.connected);
  }

  list(): readonly LocalLinkView[] {
    return [...this.#views.values()];
  }

  /** Tests the hops of a link, in order; undefined: there is no such link. */
  diagnose(link: string, token?: Buffer): AsyncIterable<Hop> | undefined {
    const view = this.#views.get(link);
    return view === undefined ? undefined : diagnoseLocal(view, { plugger: this.#plugger, netns: this.#netns, token });
  }

  /** Makes a link or changes it while frames pass. @throws {ZorError} NOT_FOUND: no such lan; UNAVAILABLE: the engine is away. */
  async ensure(spec: LocalLinkSpec, dropPrograms: DropProgram[] = []): Promise<LocalLinkView> {
    const missing = [spec.lanA, spec.lanB].find((lan) => this.#plugger.find(lan) === undefined);
    if (missing !== undefined) throw notFound(`lans/${missing}`, "create it first, or list them with: zor get lans");
    const { link, linkUid } = spec;
    const namesake = this.#views.get(link);
    if (namesake !== undefined && namesake.linkUid !== linkUid) await this.delete(link, namesake.linkUid);
    const revision = revisionOf(spec);
    await this.#session.ensure({ box: link, uid: linkUid, spec: toA2bSpec(spec), revision, dropPrograms });
    await this.#eventually(() => {
      const box = this.#session.views.get(linkUid);
      return box?.spec.revision === revision && box.status.state === A2bState.A2B_STATE_ACTIVE;
    });
    const view = this.#views.get(link);
    if (view === undefined) throw unavailable("ENGINE_SILENT", link, "the cable engine has not told of the link yet");
    return view;
  }

  /** Removes a link, its taps and its ports; with a uid, only that one. True when there was one. */
  async delete(link: string, linkUid: string): Promise<boolean> {
    const view = this.#views.get(link);
    if (view === undefined || (linkUid !== "" && view.linkUid !== linkUid)) return false;
    await this.#session.delete(view.linkUid);
    this.#views.delete(link);
    this.#tell([], [link]);
    return true;
  }

  /** Calls back with every change. Returns the way to stop. */
  onChange(listener: LocalLinksListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lets go of the engine, which keeps its boxes. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#session.close();
  }

  #onChange(uids: readonly string[] | undefined): void {
    if (!this.#session.connected) {
      const awaySinceMs = Date.now();
      for (const view of this.list()) this.#views.set(view.link, { ...view, awaySinceMs });
      this.#tell(this.list(), []);
      return;
    }
    const told = [...this.#session.views.values()].map(toView);
    const there = new Set(told.map(({ link }) => link));
    const removed = [...this.#views.keys()].filter((link) => !there.has(link));
    for (const link of removed) this.#views.delete(link);
    for (const view of told) this.#views.set(view.link, view);
    this.#tell(uids === undefined ? told : told.filter(({ linkUid }) => uids.includes(linkUid)), removed);
  }

  #tell(changed: readonly LocalLinkView[], removed: readonly string[]): void {
    if (changed.length + removed.length === 0) return;
    for (const listener of this.#listeners) listener(changed, removed);
  }

  async #eventually(check: () => boolean): Promise<void> {
    const deadline = performance.now() + settleMs;
    const { signal } = this.#ended;
    while (!check() && performance.now() < deadline && !signal.aborted) await pause(settlePollMs, signal);
  }
}

function toView(box: BoxView): LocalLinkView {
  return { link: box.spec.box, linkUid: box.spec.uid, box, awaySinceMs: undefined };
}

/** The same for the same wishes, so that to ask again does not begin schedule and chances again. */
function revisionOf(spec: A2bSpec): string {
  return createHash("sha256").update(A2bSpec.encode(spec).finish()).digest("hex");
}

function toA2bSpec({ link: _link, linkUid: _linkUid, ...spec }: LocalLinkSpec): A2bSpec {
  return spec;
}
