import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { NamedVolume } from "../../drivers/abilities/volumes.js";
import { assertNoSnapshots } from "../../storage/volume-snapshots.js";
import type { InstanceContext } from "./context.js";
import type { InstanceRecord } from "./record.js";

/** The volumes that an instance has: what its specification says, and what the one that runs does. */
export function volumesOf({ driver, stored, running }: InstanceRecord): readonly NamedVolume[] {
  const { volumes } = driver.can;
  if (volumes === undefined) return [];
  const { spec } = stored.resource;
  return [...volumes.volumesOf(spec), ...(running === undefined ? [] : volumes.volumesOf(running))];
}

/**
 * Gives an instance the volumes that a specification names, until disposed of: then it has those of its record. Happens at once, so that
 * no volume goes meanwhile and none is given twice.
 * @param before the specification that it had; undefined: it is new.
 * @throws {ZorError} NOT_FOUND; FAILED_PRECONDITION when another instance has one.
 */
export function holdVolumes(
  { references, holders }: Pick<InstanceContext, "references" | "holders">,
  { driver, stored }: InstanceRecord,
  { spec, before }: { readonly spec: InstanceSpec; readonly before: InstanceSpec | undefined },
): Disposable {
  const { volumes } = driver.can;
  const named = volumes?.volumesOf(spec) ?? [];
  const known = new Set(before === undefined ? [] : volumes?.volumesOf(before).map(({ volume }) => volume));
  const remedy = "make it first, with: zor create volume";
  const added = named.filter(({ volume }) => !known.has(volume));
  references.assertThere(added.map(({ volume }) => ({ kind: "volume", id: volume, remedy })));
  const { name } = stored.resource;
  for (const { volume, part } of before === undefined ? [] : (volumes?.volumesOf(before) ?? [])) {
    const stays = named.some((each) => each.volume === volume && each.part === part && !each.readOnly);
    if (!stays) assertNoSnapshots(references, { volume, resource: name, what: `taken away from ${name}` });
  }
  return holders.claim(stored.resource.name, named);
}

/** @throws {ZorError} FAILED_PRECONDITION when states of an instance are kept in volumes, which stay when it is deleted. */
export function assertNoStateInVolumes(
  { references }: Pick<InstanceContext, "references">,
  record: InstanceRecord,
): void {
  const { name } = record.stored.resource;
  for (const { volume } of volumesOf(record)) {
    assertNoSnapshots(references, { volume, resource: name, what: `left behind by the deletion of ${name}` });
  }
}
