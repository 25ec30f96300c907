import type { FieldViolation } from "../../../lib/errors.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { checkCapabilities } from "../containers/capabilities.js";
import { checkMounts } from "../containers/mounts-check.js";
import { checkSysctls } from "../containers/sysctl-check.js";
import { checkCommand, checkEnvironment } from "../containers/words-check.js";
import { checkHealth } from "../containers/health-check.js";
import { checkLimits } from "./limits.js";
import { checkIdentity, checkNames, checkNetwork, checkTogether } from "./more-options-check.js";

const base = "instance.spec.crun";

/** What is wrong with a container's options, apart from its image. */
export function checkOptions(options: CrunOptions): readonly FieldViolation[] {
  return [
    ...checkCommand(`${base}.command`, options.command),
    // One empty word: none.
    ...checkCommand(`${base}.entrypoint`, options.entrypoint.join() === "" ? [] : options.entrypoint),
    ...checkEnvironment(`${base}.environment`, options.environment),
    ...checkCapabilities(`${base}.capabilities`, options.capabilities),
    ...checkSysctls(`${base}.sysctls`, options.sysctls),
    ...checkIdentity(base, options),
    ...checkNames(base, options),
    ...checkMounts(base, options),
    ...checkLimits(`${base}.limits`, options.limits),
    ...checkHealth(`${base}.health_check`, options.healthCheck),
    ...checkTogether(base, options),
    ...checkNetwork(base, options),
  ];
}
