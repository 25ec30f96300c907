import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import type { Impairment } from "../../../proto/gen/zor/v1/impairment.js";

/** A direction through a box. */
export type Way = "aToB" | "bToA";

/** What happens to frames of one direction now, schedule applied; before the first observation what is specified. */
export function inForce({ spec, status }: A2b, way: Way): Impairment | undefined {
  const current = way === "aToB" ? status?.currentAToB : status?.currentBToA;
  return current ?? spec?.[way];
}
