import { expect, it } from "vitest";
import { assertHasVolumes } from "../../../../../agent/kinds/backup/backed-up-volumes.js";
import { References } from "../../../../../agent/kit/references.js";
import { VolumeHolders } from "../../../../../agent/storage/volume-holders.js";

const name = "hosts/h/instances/vm1";
const volumes = [{ disk: "disk1", volume: "data", uid: "u1", sizeBytes: 64 * 1024 * 1024 }];
const disk = { volume: "data", part: "disk1", readOnly: false };

function host(volume: { readonly uid: string; readonly sizeMib: bigint } | undefined) {
  const references = new References("h");
  const found = volume && { name: "hosts/h/volumes/data", uid: volume.uid, spec: { sizeMib: volume.sizeMib } };
  references.add("volume", { has: () => true, find: () => found, list: () => [], uses: () => [] });
  return { references, holders: new VolumeHolders() };
}

it("lets a backup back into the volumes that its instance writes, also when they have grown", () => {
  const context = host({ uid: "u1", sizeMib: 128n });
  context.holders.set(name, [disk]);
  expect(() => assertHasVolumes(context, { name }, volumes)).not.toThrow();
});

it.each([
  ["gone", undefined, [], "is gone; restore it as another instance, with --as"],
  ["another one", { uid: "u2", sizeMib: 64n }, [[name, disk]], "what has its name now is another one"],
  ["smaller", { uid: "u1", sizeMib: 32n }, [[name, disk]], "has 33554432 bytes, less than the 67108864 there"],
  ["attached nowhere", { uid: "u1", sizeMib: 64n }, [], "is no disk of it any more; attach it again"],
  ["only read", { uid: "u1", sizeMib: 64n }, [[name, { ...disk, readOnly: true }]], "it only reads now"],
  ["elsewhere", { uid: "u1", sizeMib: 64n }, [["hosts/h/instances/vm2", disk]], "disk1 of hosts/h/instances/vm2 now"],
] as const)("refuses one that is %s", (_, volume, held, says) => {
  const context = host(volume);
  for (const [instance, named] of held) context.holders.set(instance, [named]);
  expect(() => assertHasVolumes(context, { name }, volumes)).toThrow(says);
  expect(() => assertHasVolumes(context, { name }, volumes)).toThrow("hosts/h/volumes/data");
});
