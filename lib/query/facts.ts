import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import type { Link } from "../../proto/gen/zor/v1/link.js";

/** What a query asks of a resource that does not stand in it. */
export interface Facts {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** What is measured of a resource; of ends of a link or wire the largest. Undefined: it is not measured. */
  figure(name: string, figure: Figure): number | undefined;
  /** Links with an end at a resource: a host, a lan, or an instance. */
  links(name: string): Iterable<Link>;
}

/** Where nothing but resources is at hand. */
export const noFacts: Facts = {
  nowMs: () => Date.now(),
  figure: () => undefined,
  links: () => [],
};
