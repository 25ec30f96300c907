import type { FieldViolation } from "../../../lib/errors.js";
import type { StormControl } from "../../../proto/gen/zor/v1/port.js";

const maxPerSecond = 10_000_000;

/** Frames that may come at once: those of a tenth of a second, ten at least; pure. */
export function stormBurst(perSecond: number): number {
  return Math.max(10, Math.ceil(perSecond / 10));
}

/** Limits that say nothing are none; pure. */
export function settleStorm(storm: StormControl | undefined): StormControl | undefined {
  return storm === undefined || Object.values(storm).every((perSecond) => perSecond === 0) ? undefined : storm;
}

/** What is wrong with limits; pure. @param field their proto path */
export function checkStorm(field: string, storm: StormControl | undefined): FieldViolation[] {
  if (storm === undefined) return [];
  const paths = {
    broadcast_per_second: storm.broadcastPerSecond,
    multicast_per_second: storm.multicastPerSecond,
    unknown_unicast_per_second: storm.unknownUnicastPerSecond,
  };
  return Object.entries(paths).flatMap(([path, value]) =>
    value >= 0 && value <= maxPerSecond
      ? []
      : [{ field: `${field}.${path}`, description: `${value} is not between 0 and ${maxPerSecond} frames a second` }],
  );
}
