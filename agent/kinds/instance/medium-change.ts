import { invalidArgument, notFound } from "../../../lib/errors.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { CdromDrive } from "../../../proto/gen/zor/v1/qemu.js";
import { changedSpec } from "../../kit/metadata.js";
import { specLost, unsupported } from "./action-checks.js";
import type { ActionOptions, InstanceContext } from "./context.js";
import { keepSpecs } from "./keep-specs.js";
import { attempt } from "./power.js";
import { type InstanceRecord, specOf, toDriverInstance } from "./record.js";

/** What shall lie in which drive. */
export interface AskedMedium {
  /** Name of the drive; empty: the only one. */
  readonly drive: string;
  /** Name of an image; empty: nothing. */
  readonly image: string;
  /** Although the guest has locked the tray. */
  readonly force: boolean;
  readonly validateOnly: boolean;
}

/** Changes what lies in a drive, at once if the instance runs, and in its specification. @throws {ZorError} and then nothing has changed. */
export async function changeMedium(
  context: InstanceContext,
  record: InstanceRecord,
  { force, image, validateOnly, ...options }: ActionOptions & AskedMedium,
): Promise<void> {
  const { devices } = record.driver.can;
  const { name } = record.stored.resource;
  if (devices === undefined) throw unsupported(record, "change media");
  if (record.specLost) throw specLost(record, "be changed");
  const drive = findDrive(record, options.drive);
  const before = drive.image;
  const instance = toDriverInstance(record);
  await attempt(record, "change a medium of", () =>
    devices.checkMedium(instance, { drive: drive.name, image, force }, options),
  );
  if (validateOnly || image === before) return;
  await using undo = new AsyncDisposableStack();
  // A drive that was added waits for the next start.
  if (record.handle !== undefined && drivesOf(specOf(record)).some((each) => each.name === drive.name)) {
    await attempt(record, "change a medium of", () =>
      devices.changeMedium(instance, { drive: drive.name, image, force }, options),
    );
    undo.defer(() => devices.changeMedium(instance, { drive: drive.name, image: before, force }, options));
  }
  await keep(context, record, { ...drive, image }, options.caller);
  undo.move();
  context.publish(record);
  context.emit({
    severity: EventSeverity.EVENT_SEVERITY_INFO,
    type: "instance.medium-changed",
    resource: name,
    message: image === "" ? `${drive.name}: nothing` : `${drive.name}: ${image}`,
    caller: options.caller,
  });
}

async function keep(
  context: InstanceContext,
  record: InstanceRecord,
  drive: CdromDrive,
  caller: string,
): Promise<void> {
  const { stored, running } = record;
  const changed = changedSpec(stored, withDrive(stored.resource.spec, drive), { caller, now: context.now() });
  await keepSpecs(context, record, { changed, running: running === undefined ? undefined : withDrive(running, drive) });
}

function withDrive(spec: InstanceSpec, drive: CdromDrive): InstanceSpec {
  if (spec.driver?.$case !== "qemu") return spec;
  const { value } = spec.driver;
  const cdroms = value.cdroms.map((each) => (each.name === drive.name ? { ...each, image: drive.image } : each));
  return { ...spec, driver: { $case: "qemu", value: { ...value, cdroms } } };
}

function drivesOf({ driver }: InstanceSpec): readonly CdromDrive[] {
  return driver?.$case === "qemu" ? driver.value.cdroms : [];
}

function findDrive({ stored }: InstanceRecord, wanted: string): CdromDrive {
  const { name, spec } = stored.resource;
  const drives = drivesOf(spec);
  const names = drives.map((each) => each.name).join(", ");
  const [first] = drives;
  if (wanted === "" && drives.length > 1) throw invalidArgument("drive", `say which of ${names} is meant`);
  const found = wanted === "" ? first : drives.find((each) => each.name === wanted);
  if (found !== undefined) return found;
  const has = names === "" ? "it has no drives; create it with --cdrom" : `it has ${names}`;
  throw notFound(`${name}/cdroms/${wanted === "" ? "-" : wanted}`, has);
}
