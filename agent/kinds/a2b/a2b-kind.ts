import { join } from "node:path";
import { pause } from "../../../lib/backoff.js";
import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import { type A2b, type A2bSpec, A2bState, type A2bStatus } from "../../../proto/gen/zor/v1/a2b.js";
import { BoxSession } from "../../cable/box-session.js";
import { DropFilters } from "../../cable/drop-filters.js";
import type { CablePlugger } from "../../cable/plugger.js";
import { boxSocket } from "../../engine/protocol/box-protocol.js";
import { keptKind } from "../../kit/kept-kind.js";
import type { AgentKind, Carrying, Checked, Kept, Reference, Whole } from "../../kit/kind.js";
import type { AgentContext } from "../../parts.js";
import { checkA2b, dropFiltersOf, fromBox, toBox } from "./a2b-spec.js";
import { downStatus } from "./a2b-status.js";
import { findLoop } from "./loop.js";

/** What the boxes need of the agent around them. */
interface A2bKindOptions {
  readonly host: string;
  /** State directory of the agent. */
  readonly state: string;
  readonly plugger: CablePlugger;
  /** Whether a lan runs the spanning tree protocol. */
  readonly breaksLoops: (lan: string) => boolean;
  readonly log: Log;
}

/** So long a change waits until frames pass; what is not ready then becomes so later, and says so. */
const settleMs = 5_000;
const settlePollMs = 20;

/** The in-line boxes of this host: desired ones on disk, carried out by the cable engine, which outlives the agent. */
class A2bKind implements AgentKind<A2b> {
  readonly kind = "a2b";
  readonly oneAtATime = true;
  readonly #options: A2bKindOptions;
  readonly #dropFilters: DropFilters;
  readonly #ended = new AbortController();
  #session: BoxSession | undefined;
  #awaySince = new Date();

  constructor(options: A2bKindOptions) {
    this.#options = options;
    this.#dropFilters = new DropFilters(options.host);
  }

  check(wanted: A2bSpec | undefined, before: A2bSpec | undefined): Checked<A2b> {
    return checkA2b(wanted, before);
  }

  /** Filters that were there before are not tried again. */
  async verify({ spec }: Whole<A2b>, before: A2bSpec | undefined): Promise<void> {
    const known = before === undefined ? [] : dropFiltersOf(before);
    await this.#dropFilters.checkNew(dropFiltersOf(spec), known, this.#ended.signal);
  }

  uses({ spec: { lanA, lanB } }: Whole<A2b>): readonly Reference[] {
    const remedy = "create it first, or list them with: zor get lans";
    return [lanA, lanB].map((id) => ({ kind: "lan", id, remedy }));
  }

  admit({ name, spec }: Whole<A2b>, others: readonly Whole<A2b>[]): void {
    const loop = findLoop(
      spec,
      others.map((other) => other.spec),
    );
    if (loop === undefined || loop.every((lan) => this.#options.breaksLoops(lan))) return;
    throw failedPrecondition(
      // The hub, which sees the loops that go through other hosts, says the same.
      "LINK_LOOP",
      name,
      `${name} would close a loop of the lans ${loop.join(", ")}; use other lans, or lans made with rstp, which breaks loops`,
    );
  }

  /** Has the engine do it, now or as soon as it is there. */
  async ensure(box: Whole<A2b>, { generation }: Carrying): Promise<void> {
    if (this.#session?.connected !== true) return;
    await this.#ask(box, generation);
  }

  async #ask(box: Whole<A2b>, generation: string): Promise<void> {
    const { aToB, bToA, schedule } = box.spec;
    try {
      const programs = await this.#dropFilters.programs({ a: aToB, b: bToA }, schedule, this.#ended.signal);
      await this.#session?.ensure(toBox(box, generation, programs));
    } catch (error) {
      // It is durable: the engine is asked again when it is back, and the status says that it is away.
      this.#options.log.warn({ box: box.name, error: messageOf(error) }, "the cable engine did not take a box");
    }
  }

  /** Its lans are apart again. @throws {ZorError} UNAVAILABLE while the engine is away. */
  async remove({ uid }: Whole<A2b>): Promise<void> {
    await this.#session?.delete(uid);
  }

  observe({ uid }: Whole<A2b>): A2bStatus {
    const view = this.#session?.views.get(uid);
    const reason =
      this.#session?.connected === true
        ? "the cable engine is making it"
        : "the cable engine of this host is away and is being started";
    return view?.status ?? downStatus(reason, this.#awaySince);
  }

  async settle({ uid }: Whole<A2b>, { generation }: Carrying): Promise<void> {
    const deadline = performance.now() + settleMs;
    const { signal } = this.#ended;
    while (this.#session?.connected === true && !this.#isSettled(uid, generation)) {
      if (performance.now() >= deadline || signal.aborted) break;
      await pause(settlePollMs, signal);
    }
  }

  /** Begins to speak to the engine, as soon as there is one. */
  async begin(kept: Kept<A2b>): Promise<void> {
    const { host, state, plugger, log } = this.#options;
    this.#session = new BoxSession({
      socketPath: join(state, "cable", boxSocket),
      prefix: prefixOf(host),
      plugger,
      log,
      onConnected: () => kept.exclusively(() => this.#bringUpToDate(kept)),
      onChange: (uids) => {
        if (uids === undefined) this.#awaySince = new Date();
        kept.publish(uids === undefined ? undefined : new Set(uids));
      },
    });
  }

  /** Lets go of the engine, which keeps its boxes. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#session?.close();
  }

  /** Asks the engine for every desired box; one that is as it should be is left alone. */
  async #bringUpToDate(kept: Kept<A2b>): Promise<void> {
    // A box that only the engine knows carries somebody's frames.
    for (const { spec } of this.#session?.views.values() ?? []) {
      const id = spec.box.slice(prefixOf(this.#options.host).length);
      await kept.take(fromBox(id, spec, new Date()));
    }
    for (const { resource, carrying } of kept.all()) {
      await this.#ask(resource, carrying.generation);
    }
  }

  #isSettled(uid: string, generation: string): boolean {
    const view = this.#session?.views.get(uid);
    return view?.status.state === A2bState.A2B_STATE_ACTIVE && view.spec.revision === generation;
  }
}

/** In-line boxes, for the list of kinds. */
export const a2bKind = keptKind<A2b, AgentContext>("a2b", ({ host, state, parts, references, log }) => {
  const { cables } = parts;
  const breaksLoops = (lan: string): boolean => references.find("lan", lan)?.spec?.rstp === true;
  return cables === undefined ? undefined : new A2bKind({ host, state, plugger: cables.plugger, breaksLoops, log });
});

/** Begin of the names of all boxes. */
function prefixOf(host: string): string {
  return `hosts/${host}/a2bs/`;
}
