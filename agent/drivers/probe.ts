import type { Capability } from "../../proto/gen/zor/v1/host.js";
import type { CallOptions, InstanceDriver } from "./driver.js";

/**
 * What a driver needs and has, with what its instances can be asked for: "driver.qemu.pause". Those are available where the driver is.
 * Never throws.
 */
export async function probeDriver(
  driver: Pick<InstanceDriver, "kind" | "can" | "fingerprint">,
  options: CallOptions,
): Promise<readonly Capability[]> {
  const own = await driver.fingerprint(options);
  const id = `driver.${driver.kind}`;
  const whole = own.find((capability) => capability.id === id);
  const available = whole?.available === true;
  const reason = available ? "" : (whole?.reason ?? "the driver does not say whether it is usable");
  const abilities = Object.entries(driver.can)
    .filter(([, ability]) => ability !== undefined)
    .map(([ability]) => ({ id: `${id}.${ability}`, available, version: "", reason }));
  return [...own, ...abilities];
}
