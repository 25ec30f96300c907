import { failedPrecondition } from "../../../lib/errors.js";
import { listed } from "../../../lib/words.js";
import type { Instance, InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { isSameSpec } from "../../kit/metadata.js";
import { type InstanceRecord, shortNameOf } from "./record.js";
import { planChanges } from "./spec-diff.js";

/** @throws {ZorError} FAILED_PRECONDITION when the instance is suspended and its machine is another one now. */
export function assertSameMachine(record: InstanceRecord): void {
  const { suspended, stored, driver } = record;
  if (suspended === undefined) return;
  const { name, spec } = stored.resource;
  const wanted = { ...stored.resource, spec: withoutOthers(spec, spec) };
  const had: typeof wanted = { ...stored.resource, spec: withoutOthers(suspended, spec) };
  if (isSameSpec<Instance>("instance", had, wanted)) return;
  const fields = listed(
    planChanges(driver, { before: had.spec, after: wanted.spec, isRunning: false }).map(({ path }) => path),
    4,
  );
  throw failedPrecondition(
    "SUSPENDED_SPEC_CHANGED",
    name,
    `${name} was changed since it was suspended (${fields}), and its memory fits only the machine that it was: take the changes back, or throw its memory away with: zor stop ${shortNameOf(record)}`,
  );
}

/** What decides over the machine: not when it is started, or saved, by itself, and not what its interfaces are plugged into. */
function withoutOthers(
  spec: InstanceSpec,
  { restart, hostBoot, hostShutdown, deleteProtection, schedules }: InstanceSpec,
): InstanceSpec {
  const nics = spec.nics.map((nic) => ({ ...nic, lan: "", portSettings: undefined }));
  return { ...spec, nics, restart, hostBoot, hostShutdown, deleteProtection, schedules };
}
