import { toMs } from "../../../../lib/duration.js";
import { type LinkEnd, LinkPath, type LinkSpec, LinkState } from "../../../../proto/gen/zor/v1/link.js";
import { faultOf, nextQuality, type Quality, type QualityFault, type QualitySample } from "./quality.js";

/** Both ends of a link, current, as their hosts told them. */
export interface QualityInput {
  readonly name: string;
  readonly spec: LinkSpec | undefined;
  readonly a: { readonly host: string; readonly end: LinkEnd | undefined; readonly current: boolean };
  readonly b: { readonly host: string; readonly end: LinkEnd | undefined; readonly current: boolean };
  /** One of the hosts can be dialled. */
  readonly directExpected: boolean;
  readonly nowMs: number;
}

/** Ends tell their figures every second, each by itself: what comes between adds nothing. */
const sampleMs = 900;

/** Follows the quality of links while both their ends say that frames cross. */
export class QualityBook {
  readonly #links = new Map<string, Quality>();

  /** What is wrong with a link; undefined: nothing, or it does not carry frames anyway. */
  look(input: QualityInput): QualityFault | undefined {
    const { name, a, b, nowMs } = input;
    if (!isActive(a.end) || !isActive(b.end) || !a.current || !b.current) {
      this.#links.delete(name);
      return undefined;
    }
    const before = this.#links.get(name);
    const due = before === undefined || nowMs - before.atMs >= sampleMs;
    const quality = due ? nextQuality(before, sampleOf(input, a.end, b.end)) : before;
    this.#links.set(name, quality);
    return faultOf(quality, { a: a.host, b: b.host });
  }

  /** What was wrong with a link when it was looked at last. */
  preview({ name, a, b }: QualityInput): QualityFault | undefined {
    const last = this.#links.get(name);
    return last === undefined ? undefined : faultOf(last, { a: a.host, b: b.host });
  }

  forget(name: string): void {
    this.#links.delete(name);
  }
}

function isActive(end: LinkEnd | undefined): end is LinkEnd {
  return end?.state === LinkState.LINK_STATE_ACTIVE;
}

function sampleOf({ spec, directExpected, nowMs }: QualityInput, a: LinkEnd, b: LinkEnd): QualitySample {
  const scheduled = (spec?.schedule ?? []).length > 0;
  const p99s = [a.rttP99, b.rttP99].filter((rtt) => rtt !== undefined).map(toMs);
  return {
    atMs: nowMs,
    lossRatio: Math.max(a.lossRatio, b.lossRatio),
    rttP99Ms: p99s.length === 0 ? undefined : Math.max(...p99s),
    aToB: { sent: a.txFrames, received: b.rxFrames, impaired: scheduled || spec?.aToB !== undefined },
    bToA: { sent: b.txFrames, received: a.rxFrames, impaired: scheduled || spec?.bToA !== undefined },
    detour: directExpected && [a, b].some(({ path }) => path === LinkPath.LINK_PATH_RELAYED),
  };
}
