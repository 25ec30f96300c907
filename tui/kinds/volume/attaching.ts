import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { type Instance, InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { Disk } from "../../../proto/gen/zor/v1/qemu.js";
import { shortName } from "../../kit/resource-name.js";

/** The change of an instance that gives it a volume, or takes one away: all of its disks. */
export interface DisksChange {
  readonly resource: { readonly spec: InstanceSpec };
  readonly paths: readonly string[];
  readonly etag: string;
}

/** An instance with one more disk. @throws {ZorError} when it is no machine of QEMU, or has the volume. */
export function withVolume(instance: Instance, disk: Partial<Disk> & Pick<Disk, "volume">): DisksChange {
  const disks = disksOf(instance);
  if (disks.some(({ volume }) => volume === disk.volume)) {
    const { name } = instance;
    throw failedPrecondition("VOLUME_ATTACHED", name, `${shortName(name)} has volume ${disk.volume} already`);
  }
  return changeOf(instance, [...disks, Disk.fromPartial(disk)]);
}

/** An instance without the disks that are a volume. @throws {ZorError} when it has it not. */
export function withoutVolume(instance: Instance, volume: string): DisksChange {
  const disks = disksOf(instance);
  const left = disks.filter((disk) => disk.volume !== volume);
  if (left.length < disks.length) return changeOf(instance, left);
  const { name } = instance;
  throw failedPrecondition("VOLUME_NOT_ATTACHED", name, `${shortName(name)} does not have volume ${volume}`);
}

function disksOf({ name, spec }: Instance): readonly Disk[] {
  if (spec?.driver?.$case === "qemu") return spec.driver.value.disks;
  throw invalidArgument("instance", `${shortName(name)} is no machine of QEMU; only those have volumes`);
}

function changeOf({ spec, etag }: Instance, disks: readonly Disk[]): DisksChange {
  const driver = { $case: "qemu" as const, value: { disks: [...disks] } };
  return { resource: { spec: InstanceSpec.fromPartial({ ...spec, driver }) }, paths: ["spec.qemu.disks"], etag };
}
