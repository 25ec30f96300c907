import type { NamedMessage } from "../../lib/kinds/codecs.js";
import { allKinds } from "../../lib/kinds/kinds.js";
import { type AnyResource, isOfKind } from "../../lib/kinds/resource.js";
import { type ByteText, encode, Kept } from "../../lib/watch/kept.js";
import { WatchLog } from "../../lib/watch/watch-log.js";
import type { Host } from "../../proto/gen/zor/v1/host.js";
import { type Lan, LanStatus } from "../../proto/gen/zor/v1/lan.js";

/** Kinds of resources that live on a host and of which a resync tells the whole. */
const hostKinds = (): readonly string[] =>
  allKinds()
    .filter(({ singular, scope }) => scope === "host" || singular === "operation")
    .map(({ singular }) => singular);

/**
 * Everything the hub has observed, under the names the agents use, with the hub's own epoch and revision. It is in memory only
 * and rebuilt from the agents. What is known of a host that does not answer stays.
 */
export class Inventory {
  readonly log: WatchLog;
  /** By lan: what the hub has to say of it beside its agent, and what the agent said itself. */
  readonly #remarks = new Map<string, { readonly remark: string; reported: Lan | undefined }>();

  /** @param options.nextEventId the id of the hub's next event; default: one that means nothing after the hub has ended. */
  constructor(options: { readonly nextEventId?: () => string } = {}) {
    this.log = new WatchLog(options);
  }

  /** Makes or changes a resource; nothing happens when it is the same as before. */
  upsert(resource: AnyResource): void {
    this.#put(Kept.ofValue(resource), resource.value);
  }

  /** Like {@link upsert}, of a resource that is one of very many: only its bytes are kept. @param encoded its message's bytes. */
  take(told: AnyResource, encoded: ByteText): void {
    const value = isOfKind(told, "lan") ? this.remarked(told.value) : told.value;
    const text = value === told.value ? encoded : encode(told.kind, value);
    this.#put(Kept.ofText(told.kind, value.name, text), value);
  }

  /** Removes the resources of a host that are not among `names`. Events are history and stay. */
  retainOnly(host: string, names: ReadonlySet<string>): void {
    for (const kind of hostKinds()) {
      const all = [...this.log.index(kind).all(`hosts/${host}`)];
      for (const { name } of all) if (!names.has(name)) this.log.remove(kind, name);
    }
  }

  /** A lan with what the hub has to say of it. */
  remarked(lan: Lan): Lan {
    const known = this.#remarks.get(lan.name);
    if (known === undefined) return lan;
    known.reported = lan;
    const reason = [lan.status?.reason ?? "", known.remark].filter((text) => text !== "").join("; ");
    return { ...lan, status: LanStatus.fromPartial({ ...lan.status, reason }) };
  }

  /** What the hub has to say of lans, by name, instead of what it had before. */
  remarkLans(remarks: ReadonlyMap<string, string>): void {
    for (const name of new Set([...this.#remarks.keys(), ...remarks.keys()])) {
      const [before, remark] = [this.#remarks.get(name), remarks.get(name)];
      if (before?.remark === remark) continue;
      const reported = before?.reported ?? this.log.find("lan", name);
      if (remark === undefined) this.#remarks.delete(name);
      else this.#remarks.set(name, { remark, reported });
      if (reported !== undefined && this.log.find("lan", name) !== undefined) {
        this.take({ kind: "lan", value: reported }, encode("lan", reported));
      }
    }
  }

  /** Forgets a host and all that is on it. */
  removeHost(host: string): void {
    this.retainOnly(host, new Set());
    this.log.remove("host", `hosts/${host}`);
  }

  setHost(host: Host): void {
    this.take({ kind: "host", value: host }, encode("host", host));
  }

  #put(kept: Kept, value: NamedMessage): void {
    if (this.log.index(kept.kind).get(kept.name)?.text !== kept.text) this.log.put(kept, value);
  }
}
