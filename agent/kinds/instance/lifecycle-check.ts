import type { FieldViolation } from "../../../lib/errors.js";
import { BootStart, type InstanceSpec, RestartMode, ShutdownAction } from "../../../proto/gen/zor/v1/instance.js";

/** What is wrong with what a spec says of restarts, the host's boot and its shutdown; pure. */
export function checkLifecycle(field: string, spec: InstanceSpec): readonly FieldViolation[] {
  return [
    ...checkRestart(`${field}.restart`, spec),
    ...checkHostBoot(`${field}.host_boot`, spec),
    ...checkHostShutdown(`${field}.host_shutdown`, spec),
  ];
}

function checkRestart(field: string, { restart }: InstanceSpec): readonly FieldViolation[] {
  if (restart === undefined) return [];
  const { mode, maxRestarts, minDelaySeconds, maxDelaySeconds, resetAfterSeconds } = restart;
  const isShorter = maxDelaySeconds !== 0 && maxDelaySeconds < Math.max(1, minDelaySeconds);
  return [
    ...known(`${field}.mode`, mode, named(RestartMode)),
    ...inRange(`${field}.max_restarts`, maxRestarts, 0, 1_000_000),
    ...inRange(`${field}.min_delay_seconds`, minDelaySeconds, 0, 3600),
    ...inRange(`${field}.max_delay_seconds`, maxDelaySeconds, 0, 86_400),
    ...inRange(`${field}.reset_after_seconds`, resetAfterSeconds, 0, 86_400),
    ...(isShorter
      ? [{ field: `${field}.max_delay_seconds`, description: `${maxDelaySeconds} s is shorter than the first wait` }]
      : []),
  ];
}

function checkHostBoot(field: string, { hostBoot }: InstanceSpec): readonly FieldViolation[] {
  if (hostBoot === undefined) return [];
  return [
    ...known(`${field}.start`, hostBoot.start, named(BootStart)),
    ...inRange(`${field}.order`, hostBoot.order, -1000, 1000),
    ...inRange(`${field}.delay_seconds`, hostBoot.delaySeconds, 0, 3600),
  ];
}

function checkHostShutdown(field: string, { hostShutdown }: InstanceSpec): readonly FieldViolation[] {
  if (hostShutdown === undefined) return [];
  return [
    ...known(`${field}.action`, hostShutdown.action, named(ShutdownAction)),
    ...inRange(`${field}.grace_seconds`, hostShutdown.graceSeconds, 0, 3600),
  ];
}

/** Numbers of an enumeration's values. */
function named(values: Readonly<Record<string, string | number>>): readonly number[] {
  return Object.values(values).filter((value) => typeof value === "number" && value >= 0) as number[];
}

function known(field: string, value: number, values: readonly number[]): readonly FieldViolation[] {
  return values.includes(value) ? [] : [{ field, description: `${value} is none of the values that are known` }];
}

function inRange(field: string, value: number, least: number, most: number): readonly FieldViolation[] {
  return Number.isInteger(value) && value >= least && value <= most
    ? []
    : [{ field, description: `${value} is not between ${least} and ${most}` }];
}
