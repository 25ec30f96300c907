import type { ContainerDevice } from "../../../proto/gen/zor/v1/crun.js";
import { checkPolicy, type ContainerPolicy, type HostWishes } from "../containers/container-policy.js";
import { grantDevices, grantMounts } from "../containers/host-access.js";

/** What a container gets of the host. */
export interface AccessGranted {
  readonly mounts: readonly { readonly path: string; readonly target: string; readonly readOnly: boolean }[];
  readonly devices: readonly ContainerDevice[];
}

/**
 * What a container of an engine gets of the host. The engine looks paths up by itself, now and whenever it starts the container: what it
 * mounts are the directories of the policy themselves, whose names nobody inside can exchange.
 * @throws {ZorError} FAILED_PRECONDITION: the host's policy does not allow it, or it is not there.
 */
export async function grantAccess(wanted: HostWishes, policy: ContainerPolicy): Promise<AccessGranted> {
  checkPolicy(wanted, policy, { below: false });
  await grantDevices(wanted.devices);
  await using granted = await grantMounts(wanted, policy);
  const mounts = granted.mounts.map(({ path, target, readOnly }) => ({ path, target, readOnly }));
  return { mounts, devices: wanted.devices };
}
