import { EngineDriver } from "../engine-api/engine-driver.js";
import type { EngineDriverOptions } from "../engine-api/engine-product.js";

/** Where Podman listens unless it is told otherwise. */
export const podmanSocket = "/run/podman/podman.sock";

/** Containers run by the host's Podman, whose service speaks Docker's API. */
export function createPodmanDriver(options: EngineDriverOptions): EngineDriver {
  return new EngineDriver(
    { kind: "podman", logDriver: "k8s-file", raisesLimits: true, tellsNameServers: false },
    options,
  );
}
