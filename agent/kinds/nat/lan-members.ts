import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { Member } from "./nat-hosts.js";

/** Which interfaces of instances are in which lan: what a change costs grows with the instance that changes. */
export class LanMembers {
  readonly #byInstance = new Map<string, { readonly key: string; readonly byLan: ReadonlyMap<string, Member[]> }>();
  readonly #byLan = new Map<string, Map<string, readonly Member[]>>();

  /** Takes an instance as it is now; undefined: it is gone. @returns the lans of which it is news. */
  set(name: string, instance: Instance | undefined): readonly string[] {
    const nics = instance?.spec?.nics ?? [];
    const key = JSON.stringify(nics.map(({ name: nic, lan, mac, addresses }) => [nic, lan, mac, addresses]));
    const before = this.#byInstance.get(name);
    if ((before?.key ?? "[]") === key) return [];
    const byLan = new Map<string, Member[]>();
    for (const { name: nic, lan, mac, addresses } of nics) {
      if (lan === "") continue;
      const members = byLan.get(lan) ?? [];
      const id = name.slice(name.lastIndexOf("/") + 1);
      byLan.set(lan, [...members, { instance: id, nic, mac, addresses, isFirst: members.length === 0 }]);
    }
    for (const lan of before?.byLan.keys() ?? []) this.#byLan.get(lan)?.delete(name);
    for (const [lan, members] of byLan) {
      const there = this.#byLan.get(lan) ?? new Map<string, readonly Member[]>();
      this.#byLan.set(lan, there.set(name, members));
    }
    for (const lan of before?.byLan.keys() ?? []) if (this.#byLan.get(lan)?.size === 0) this.#byLan.delete(lan);
    if (instance === undefined) this.#byInstance.delete(name);
    else this.#byInstance.set(name, { key, byLan });
    return [...new Set([...(before?.byLan.keys() ?? []), ...byLan.keys()])];
  }

  /** All of a lan, by name. */
  of(lan: string): readonly Member[] {
    return [...(this.#byLan.get(lan) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, members]) => members);
  }
}
