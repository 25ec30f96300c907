import type { FieldViolation } from "../../../lib/errors.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { checkCapabilities } from "../containers/capabilities.js";
import { checkSysctls } from "../containers/sysctl-check.js";
import { checkCommand, checkEnvironment } from "../containers/words-check.js";

/** What a container may use at most. */
export interface ContainerSize {
  readonly cpus: number;
  readonly memoryMib: number;
}

const base = "instance.spec.crun";

/** What a spec asks for, with defaults. */
export function sizeOf(spec: InstanceSpec): ContainerSize {
  return { cpus: spec.cpus ?? 1, memoryMib: Number(spec.memoryMib ?? 128n) };
}

/** What is wrong with a container's options, apart from its image. */
export function checkOptions(options: CrunOptions): readonly FieldViolation[] {
  return [
    ...checkCommand(`${base}.command`, options.command),
    ...checkEnvironment(`${base}.environment`, options.environment),
    ...checkCapabilities(`${base}.capabilities`, options.capabilities),
    ...checkSysctls(`${base}.sysctls`, options.sysctls),
  ];
}
