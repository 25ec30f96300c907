import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { DriverInstance } from "../driver-instance.js";

/** Id of a container at its runtime. */
export function containerId(instance: DriverInstance): string {
  return `zor-${instance.uid}`;
}

/** The spec's options for this driver. */
export function optionsOf(spec: InstanceSpec): CrunOptions {
  if (spec.driver?.$case === "crun") return spec.driver.value;
  throw new Error("the instance layer gave the crun driver another driver's spec");
}
