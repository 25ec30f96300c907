import type { FieldViolation } from "../../../lib/errors.js";
import type { HealthCheck } from "../../../proto/gen/zor/v1/crun.js";

/** A health check with its defaults, in milliseconds. */
export interface HealthPlan {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly startPeriodMs: number;
  readonly endWhenUnhealthy: boolean;
}

const [second, minute, hour] = [1000, 60_000, 3_600_000];
const bounds = { interval: [second, hour], timeout: [100, 10 * minute], startPeriod: [0, hour] } as const;
const [maxWords, maxBytes, maxRetries] = [1024, 128 * 1024, 100];
const defaults = { intervalMs: 30 * second, timeoutMs: 30 * second, retries: 3 } as const;

/** The health check of a container; undefined: none. */
export function toHealthPlan(check: HealthCheck | undefined): HealthPlan | undefined {
  if (check === undefined) return undefined;
  return {
    command: check.command,
    intervalMs: toMs(check.interval) ?? defaults.intervalMs,
    timeoutMs: toMs(check.timeout) ?? defaults.timeoutMs,
    retries: check.retries ?? defaults.retries,
    startPeriodMs: toMs(check.startPeriod) ?? 0,
    endWhenUnhealthy: check.endWhenUnhealthy,
  };
}

/** What is wrong with a health check. */
export function checkHealth(field: string, check: HealthCheck | undefined): readonly FieldViolation[] {
  if (check === undefined) return [];
  const { command, retries } = check;
  const violations: FieldViolation[] = [];
  if (command.length === 0 || command[0] === "") {
    violations.push({
      field: `${field}.command`,
      description: "is empty; name a program that ends with 0 when all is well",
    });
  }
  const bytes = command.reduce((sum, word) => sum + Buffer.byteLength(word), 0);
  if (command.length > maxWords || bytes > maxBytes || command.some((word) => word.includes("\0"))) {
    const description = `has more than ${maxWords} words or ${maxBytes} bytes, or holds a NUL byte`;
    violations.push({ field: `${field}.command`, description });
  }
  for (const [name, value] of [
    ["interval", check.interval],
    ["timeout", check.timeout],
    ["startPeriod", check.startPeriod],
  ] as const) {
    const ms = toMs(value);
    const [min, max] = bounds[name];
    if (ms === undefined || (ms >= min && ms <= max)) continue;
    const path = name === "startPeriod" ? "start_period" : name;
    violations.push({
      field: `${field}.${path}`,
      description: `is not between ${min / second} s and ${max / second} s`,
    });
  }
  if (retries !== undefined && (retries < 1 || retries > maxRetries)) {
    violations.push({ field: `${field}.retries`, description: `${retries} is not between 1 and ${maxRetries}` });
  }
  return violations;
}

function toMs(duration: HealthCheck["interval"]): number | undefined {
  if (duration === undefined) return undefined;
  return Number(duration.seconds) * second + duration.nanos / 1_000_000;
}
