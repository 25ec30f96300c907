import { pack, unpack } from "../../lib/kinds/resource.js";
import type { FleetStep } from "../kit/fleet/fleet-step.js";
import { withHub } from "../kit/hubs.js";
import type { FleetGateway, HubState } from "./gateway.js";

/** A hub among several that are watched. */
export interface HubPart {
  /** Of its context. */
  readonly name: string;
  readonly gateway: FleetGateway;
}

interface Watched {
  readonly part: HubPart;
  /** Kinds of what is there, by names, with the hub in them. */
  names: Map<string, string>;
  /** The same of the snapshot that is being told. */
  anew: Map<string, string> | undefined;
}

/**
 * Watches several hubs as one: what a snapshot of one of them does not repeat is told as removed, so that nothing of the others is. It keeps
 * what is there from watch to watch.
 */
export class HubsWatch {
  readonly #all: readonly Watched[];
  /** Singular of the kind that is told once, whatever is in a snapshot. */
  readonly #logKind: string | undefined;
  #hasBegun = false;
  #isComplete = false;

  constructor(parts: readonly HubPart[], logKind: string | undefined) {
    this.#all = parts.map((part) => ({ part, names: new Map(), anew: undefined }));
    this.#logKind = logKind;
  }

  /** @throws {ZorError} when all of them refuse to be watched. */
  async *watch(onState: (state: HubState, hub: string) => void, signal: AbortSignal): AsyncGenerator<FleetStep> {
    const over = new AbortController();
    const ending = AbortSignal.any([signal, over.signal]);
    const sources = this.#all.map((watched) => ({
      watched,
      steps: watched.part.gateway.watch((state) => onState(state, watched.part.name), ending)[Symbol.asyncIterator](),
    }));
    const next = async (source: (typeof sources)[number]) => {
      try {
        return { source, result: await source.steps.next(), error: undefined };
      } catch (error) {
        return { source, result: undefined, error };
      }
    };
    const waiting = new Map(sources.map((source) => [source, next(source)]));
    try {
      while (waiting.size > 0) {
        const { source, result, error } = await Promise.race(waiting.values());
        if (result === undefined || result.done === true) {
          waiting.delete(source);
          if (signal.aborted) return;
          const why = error ?? new Error("the watch ended");
          if (waiting.size === 0) throw why;
          onState({ phase: "refused", error: why }, source.watched.part.name);
          continue;
        }
        waiting.set(source, next(source));
        yield* this.#take(source.watched, result.value);
      }
    } finally {
      over.abort();
      // Their ends are of no more use to anybody.
      for (const rest of waiting.values()) rest.catch(() => undefined);
    }
  }

  *#take(watched: Watched, step: FleetStep): Iterable<FleetStep> {
    const { name: hub } = watched.part;
    switch (step.$case) {
      case "reset":
        watched.anew = new Map();
        if (!this.#hasBegun) yield step;
        this.#hasBegun = true;
        return;
      case "upsert": {
        const resource = unpack(step.value);
        if (resource === undefined) return;
        const { kind } = resource;
        const value = withHub(resource.value, hub);
        if (kind !== this.#logKind) for (const names of [watched.names, watched.anew]) names?.set(value.name, kind);
        yield { $case: "upsert", value: pack({ kind, value }) };
        return;
      }
      case "removed": {
        const gone = { kind: step.value.kind, name: withHub(step.value.name, hub) };
        for (const names of [watched.names, watched.anew]) names?.delete(gone.name);
        yield { $case: "removed", value: gone };
        return;
      }
      case "bookmark":
        // One clock is enough to tell ages by.
        yield watched === this.#all[0] ? step : { $case: "bookmark", value: { ...step.value, time: undefined } };
        return;
      case "snapshotEnd": {
        const { names, anew = names } = watched;
        [watched.names, watched.anew] = [anew, undefined];
        for (const [name, kind] of names) {
          if (!anew.has(name)) yield { $case: "removed", value: { kind, name } };
        }
        if (!this.#isComplete) yield step;
        this.#isComplete = true;
      }
    }
  }
}
