import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition } from "../../../lib/errors.js";
import type { DriverInstance } from "../driver-instance.js";
import { buildResources, sizeOf } from "./limits.js";
import type { OciRuntime } from "./oci-runtime.js";
import { containerId, optionsOf } from "./subject.js";
import { toldOf } from "../../host/told.js";

/**
 * Has a container that is made, or runs, keep to the limits of its spec.
 * @throws {ZorError} FAILED_PRECONDITION: the host cannot limit that, or the container uses more already; then nothing has changed.
 */
export async function applyLimits(runtime: OciRuntime, instance: DriverInstance, signal: AbortSignal): Promise<void> {
  const { limits } = optionsOf(instance.spec);
  const { directory, name: resource } = instance;
  const common = { size: sizeOf(instance.spec), limits, cgroups: runtime.cgroups, directory, resource };
  const resources = await buildResources({ ...common, mounted: join(directory, "layer.img") });
  const file = join(directory, "resources.json");
  await writeFile(file, JSON.stringify(resources), { mode: 0o600 });
  try {
    await runtime.update(containerId(instance), file, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw failedPrecondition("LIMIT_REFUSED", resource, `${resource} cannot be limited so now: ${toldOf(error)}`);
  } finally {
    await rm(file, { force: true });
  }
}
