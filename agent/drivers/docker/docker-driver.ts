import { EngineDriver } from "../engine-api/engine-driver.js";
import type { EngineDriverOptions } from "../engine-api/engine-product.js";

/** Where Docker listens unless it is told otherwise. */
export const dockerSocket = "/var/run/docker.sock";

/** Containers run by the host's Docker engine. */
export function createDockerDriver(options: EngineDriverOptions): EngineDriver {
  return new EngineDriver(
    { kind: "docker", logDriver: "json-file", raisesLimits: false, tellsNameServers: true },
    options,
  );
}
