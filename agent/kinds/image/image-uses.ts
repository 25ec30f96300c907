import type { Instance, InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";

/** Runtimes with images of their own: what their instances name is none of ours. */
const ownImages: ReadonlySet<string> = new Set(["docker", "podman", "libvirt"]);
/** Fields of drivers' options that name images, wherever they stand. */
const imageFields: ReadonlySet<string> = new Set([
  ...["image", "kernel", "initrd", "rootfs", "cdrom", "cdroms", "iso", "firmware", "configDisk"],
]);

/** All names of images in a specification. */
function imagesNamedIn(spec: InstanceSpec | undefined): readonly string[] {
  const driver = spec?.driver;
  if (driver === undefined || ownImages.has(driver.$case)) return [];
  const names = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
    for (const [field, inside] of Object.entries(value)) {
      for (const each of Array.isArray(inside) ? inside : [inside]) {
        if (typeof each === "string" && each !== "" && imageFields.has(field)) names.add(each);
        else walk(each);
      }
    }
  };
  walk(driver.value);
  return [...names];
}

/** Which instances name which images; follows the instances one by one, as they change. */
export class ImageUses {
  readonly #byInstance = new Map<string, readonly string[]>();
  readonly #byImage = new Map<string, Set<string>>();

  /** Takes in how an instance is now; undefined: it is gone. Returns the names of images of which it changes something. */
  set(instance: string, resource: Pick<Instance, "spec"> | undefined): readonly string[] {
    const before = this.#byInstance.get(instance) ?? [];
    const now = resource === undefined ? [] : imagesNamedIn(resource.spec);
    const changed = [...before.filter((name) => !now.includes(name)), ...now.filter((name) => !before.includes(name))];
    if (changed.length === 0) return [];
    for (const name of before) this.#byImage.get(name)?.delete(instance);
    for (const name of now) {
      const users = this.#byImage.get(name) ?? new Set<string>();
      users.add(instance);
      this.#byImage.set(name, users);
    }
    for (const name of before) if (this.#byImage.get(name)?.size === 0) this.#byImage.delete(name);
    if (now.length === 0) this.#byInstance.delete(instance);
    else this.#byInstance.set(instance, now);
    return changed;
  }

  /** Instances that name an image by one of these names, in order. */
  of(names: readonly string[]): readonly string[] {
    return [...new Set(names.flatMap((name) => [...(this.#byImage.get(name) ?? [])]))].sort();
  }
}
