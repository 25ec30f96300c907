import { join } from "node:path";
import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import { endProcess, findIdentity, type ProcessIdentity } from "../../../lib/process.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { limitsTraffic } from "../containers/disk-traffic.js";
import { grantDevices, grantMounts } from "../containers/host-access.js";
import { sharedSysctlPaths } from "../containers/shared-sysctls.js";
import type { CallOptions, DriverInstance, Progress } from "../driver.js";
import { applyLimits } from "./apply-limits.js";
import { checkTmpfs, writeBundle } from "./bundle.js";
import { type CrunHost, keeperOf } from "./crun-host.js";
import { handOverGroups } from "./leftovers.js";
import { buildResources, sizeOf } from "./limits.js";
import { checkFirstProgram } from "./program-check.js";
import { openRootfsImage } from "./rootfs.js";
import { planRun } from "./run-plan.js";
import { containerId, optionsOf } from "./subject.js";

const exitCodeWaitMs = 2000;

/** Makes the root filesystem of a container and looks whether its program can run. On error nothing of it is left. */
export async function createContainer(
  host: CrunHost,
  instance: DriverInstance,
  options: CallOptions & { readonly progress: Progress },
): Promise<void> {
  const spec = optionsOf(instance.spec);
  await using undo = new AsyncDisposableStack();
  const rootfs = await host.rootfs(instance);
  undo.defer(() => rootfs.remove());
  await using image = await openRootfsImage(host.imageDirectories, spec);
  const { config, view } = await rootfs.create(image, options);
  const violations = await checkFirstProgram(view, await planRun(spec, config, view));
  if (violations.length > 0) throw invalidFields(violations, instance.name);
  undo.move();
}

/** Starts a container and resolves to its first process. On error nothing of it runs. */
export async function launchContainer(
  host: CrunHost,
  instance: DriverInstance,
  network: InstanceNetwork,
  options: CallOptions,
): Promise<ProcessIdentity> {
  const { signal } = options;
  const { runtime, keeperPath } = await host.runtime();
  const id = containerId(instance);
  const spec = optionsOf(instance.spec);
  if (((await runtime.findState(id))?.pid ?? 0) !== 0) {
    throw failedPrecondition("ALREADY_RUNNING", instance.name, `${instance.name} runs already; stop it first`);
  }
  await using undo = new AsyncDisposableStack();
  undo.defer(() => abandonContainer(host, instance));
  // What a container that ended while nobody looked has left.
  await runtime.delete(id);
  // The policy may have changed since it was created.
  const privileges = await host.privileges(spec);
  const size = sizeOf(instance.spec);
  checkTmpfs(spec, size.memoryMib);
  await using image = await openRootfsImage(host.imageDirectories, spec);
  const rootfs = await host.rootfs(instance);
  const { mount, view } = await rootfs.prepare(image, { persistent: spec.persistent, signal });
  if (spec.userNamespace && mount.kind !== "overlay") throw noShift(instance.name);
  const plan = await planRun(spec, await rootfs.config(), view);
  // What a persistent container has installed itself cannot be seen from here.
  const violations = spec.persistent ? [] : await checkFirstProgram(view, plan);
  if (violations.length > 0) throw invalidFields(violations, instance.name);
  await using granted = await grantMounts(spec, host.policy);
  const { cgroups } = runtime;
  const resources = await buildResources({
    size,
    limits: spec.limits,
    cgroups,
    directory: instance.directory,
    resource: instance.name,
  });
  const container = spec.init === "" ? {} : { container: "oci" };
  const more = await writeBundle(instance, {
    spec,
    plan,
    mounts: granted.mounts,
    devices: await grantDevices(spec.devices),
    range: spec.userNamespace ? await host.ranges.take(instance.uid, instance.directory) : undefined,
    config: {
      ...privileges,
      command: plan.command,
      environment: { ...container, ...plan.environment },
      writableNetSysctls: runtime.name === "crun",
      sharedSysctlPaths: sharedSysctlPaths(),
      netnsPath: join("/run/netns", network.netns),
      cgroupsPath: `/${id}`,
      resources,
      filtersDevices: cgroups.controllers.has("devices"),
      annotations: { "zor.instance": instance.uid },
    },
  });
  const group = spec.init === "" ? undefined : id;
  const common = { runtime, keeperPath, root: mount, signal };
  const identity = await keeperOf(instance).create({ ...common, more: { ...more, group } });
  if (group !== undefined && more.range !== undefined) await handOverGroups(cgroups, id, more.range.first);
  // The loop device of what it writes is known only now.
  if (limitsTraffic(spec.limits)) await applyLimits(runtime, instance, signal);
  await runtime.start(id, signal);
  undo.move();
  return identity;
}

/** Removes what a failed start has left running. What a runtime that does not answer has left besides, the next start or the deletion removes. */
export async function abandonContainer(host: CrunHost, instance: DriverInstance): Promise<void> {
  const id = containerId(instance);
  const usable = await host.runtime().catch(() => undefined);
  const state = await usable?.runtime.findState(id).catch(() => undefined);
  const identity = state?.pid ? await findIdentity(state.pid) : undefined;
  if (identity !== undefined) await endProcess(identity, 0);
  await keeperOf(instance).finished(exitCodeWaitMs);
  await keeperOf(instance).end();
  await usable?.runtime.delete(id).catch(() => undefined);
}

function noShift(name: string): Error {
  return failedPrecondition(
    "NO_USER_NAMESPACE",
    name,
    `${name}: overlayfs does not work on this host, and the root filesystem of a user namespace needs it; leave user_namespace out`,
  );
}
