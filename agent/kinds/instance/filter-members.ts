import { parseFilter } from "../../../lib/list/filter.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { FilterSource } from "../../network/filters/nic-filters.js";

/** What filters know of an instance. */
interface Member {
  readonly instance: Instance;
  /** All of it that filters go by. */
  readonly said: string;
}

/** The instances of this host as the filters of NICs name them: by their labels, with the addresses that they are known to have. */
export class FilterMembers implements FilterSource {
  readonly #members = new Map<string, Member>();
  readonly #changed: () => void;

  /** @param changed is told when addresses or labels have. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  seen(instance: Instance): void {
    const heard = (instance.status?.heardAddresses ?? []).map(({ nic, address }) => `${nic} ${address}`).sort();
    const said = JSON.stringify([instance.labels, instance.spec?.nics.map(({ addresses }) => addresses), heard]);
    const before = this.#members.get(instance.name);
    this.#members.set(instance.name, { instance, said });
    if (before?.said !== said) this.#changed();
  }

  gone(name: string): void {
    if (this.#members.delete(name)) this.#changed();
  }

  addressesOf(expression: string): readonly string[] {
    if (expression === "") return [];
    const filter = parseFilter(expression, "zor.v1.Instance");
    const found = [...this.#members.values()].filter(({ instance }) => filter.matches(instance));
    return [...new Set(found.flatMap(({ instance }) => addressesOf(instance)))].sort();
  }

  heardOf(endpoint: string): readonly string[] {
    const [name = "", id = ""] = endpoint.split("/nics/");
    const { status } = this.#members.get(name)?.instance ?? {};
    return (status?.heardAddresses ?? []).flatMap(({ nic, address }) => (nic === id ? [address] : []));
  }
}

/** Those of its specification, without prefix length, and those that were heard. */
function addressesOf({ spec, status }: Instance): string[] {
  const said = (spec?.nics ?? []).flatMap(({ addresses }) => addresses.map((address) => address.split("/")[0] ?? ""));
  return [...said, ...(status?.heardAddresses ?? []).map(({ address }) => address)];
}
