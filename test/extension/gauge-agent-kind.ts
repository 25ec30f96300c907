import { keptKind } from "../../agent/kit/kept-kind.js";
import type { AgentKind, Checked, Kept, Reference, Whole } from "../../agent/kit/kind.js";
import { serve, type ServiceMethods } from "../../agent/kit/serve.js";
import type { AgentContext } from "../../agent/parts.js";
import { notFound } from "../../lib/errors.js";
import { type Gauge, type GaugeSpec, GaugeState, type GaugeStatus } from "./gen/zor/test/v1/gauge.js";
import { GaugeServiceService } from "./gen/zor/test/v1/gauge_service.js";
import "./register.js";

/** Gauges of a host in memory; they outlive its agents. */
export class GaugeRack {
  /** Readings by uid. */
  readonly readings = new Map<string, number>();
  /** Makes the next gauge fail. */
  failNext: unknown;
}

const defaultLimit = 100;

class GaugeKind implements AgentKind<Gauge> {
  readonly kind = "gauge";
  readonly #rack: GaugeRack;
  readonly #context: AgentContext;

  constructor(rack: GaugeRack, context: AgentContext) {
    this.#rack = rack;
    this.#context = context;
  }

  check(wanted: GaugeSpec | undefined): Checked<Gauge> {
    const { lan, limit: asked } = wanted ?? { lan: "", limit: 0 };
    const limit = asked === 0 ? defaultLimit : asked;
    const isGood = limit >= 1 && limit <= 1000;
    const violations = isGood ? [] : [{ field: "gauge.spec.limit", description: `${limit} is not between 1 and 1000` }];
    return { spec: { lan, limit }, violations };
  }

  uses({ spec: { lan } }: Whole<Gauge>): readonly Reference[] {
    return lan === "" ? [] : [{ kind: "lan", id: lan, remedy: "create it first" }];
  }

  async ensure({ uid, spec }: Whole<Gauge>): Promise<void> {
    const { failNext } = this.#rack;
    this.#rack.failNext = undefined;
    if (failNext !== undefined) throw failNext;
    this.#rack.readings.set(uid, Math.min(this.#rack.readings.get(uid) ?? 42, spec.limit));
  }

  async remove({ uid }: Whole<Gauge>): Promise<void> {
    this.#rack.readings.delete(uid);
  }

  observe({ uid }: Whole<Gauge>, failure: string): GaugeStatus {
    const reading = this.#rack.readings.get(uid);
    const state = reading === undefined ? GaugeState.GAUGE_STATE_DOWN : GaugeState.GAUGE_STATE_ACTIVE;
    return { state, reason: failure, reading: reading ?? 0 };
  }

  verbs(kept: Kept<Gauge>): readonly ServiceMethods[] {
    const { scope, references } = this.#context;
    return [
      serve(GaugeServiceService, {
        getToZero: async ({ name, validateOnly }) => {
          const id = scope.parse("gauge", "name", name);
          const gauge = kept.all().find(({ resource }) => resource.name === name)?.resource;
          if (gauge === undefined) throw notFound(references.nameOf("gauge", id));
          if (!validateOnly) {
            this.#rack.readings.set(gauge.uid, 0);
            kept.publish(new Set([gauge.uid]));
          }
          return { gauge: { ...gauge, status: this.observe(gauge, "") } };
        },
      }),
    ];
  }
}

/** Gauges, for the list of kinds of an agent. */
export function gaugeKind(rack: GaugeRack) {
  return keptKind<Gauge, AgentContext>("gauge", (context) => new GaugeKind(rack, context));
}
