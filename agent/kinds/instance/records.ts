import type { InstanceRecord } from "./record.js";

/** The instances of this host, found by id as calls name them, and by uid as drivers do. */
export class InstanceRecords {
  readonly #byId = new Map<string, InstanceRecord>();
  readonly #byUid = new Map<string, InstanceRecord>();

  get(id: string): InstanceRecord | undefined {
    return this.#byId.get(id);
  }

  findByUid(uid: string): InstanceRecord | undefined {
    return this.#byUid.get(uid);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  all(): InstanceRecord[] {
    return [...this.#byId.values()];
  }

  add(record: InstanceRecord): void {
    const { id, resource } = record.stored;
    this.#byId.set(id, record);
    this.#byUid.set(resource.uid, record);
  }

  delete(record: InstanceRecord): void {
    const { id, resource } = record.stored;
    this.#byId.delete(id);
    this.#byUid.delete(resource.uid);
  }
}
