import { codecOf } from "../../lib/kinds/codecs.js";
import type { Kind } from "../../lib/kinds/kinds.js";
import { type AnyResource, isOfKind, unpack } from "../../lib/kinds/resource.js";
import { type Host, HostState } from "../../proto/gen/zor/v1/host.js";
import type { WatchResponse } from "../../proto/gen/zor/v1/watch_service.js";
import { escapeText } from "../kit/text/escape.js";
import { hostStateName } from "../kinds/host/states.js";
import { shortName } from "../kit/resource-name.js";
import { type ListForm, sortedRows } from "./output/list-form.js";
import { type ResourceTable, type RowOptions, resourceRows, resourceTable } from "./output/show-rows.js";
import { tableOptions } from "./output/table-options.js";
import type { Session } from "./session.js";

/** What a watch prints as rows. */
export interface WatchRowsOptions {
  readonly kind: Kind;
  readonly form: ListForm;
  readonly labelColumns: readonly string[];
  readonly make: RowOptions["make"];
  readonly wanted: (resource: AnyResource) => boolean;
}

/**
 * Prints a watch as rows: the snapshot as a table, then a row for each change, and a line for what is gone. After another
 * snapshot only what differs is printed. Hosts that are lost or come back are told on stderr.
 */
export class WatchRows {
  readonly #session: Session;
  readonly #options: WatchRowsOptions;
  /** What was printed last of each resource, by name. */
  #shown = new Map<string, string>();
  #snapshot: Map<string, AnyResource> | undefined = new Map();
  #table: ResourceTable | undefined;
  /** Rows the layout was chosen for; it only ever gets wider. */
  #sample: readonly AnyResource[] = [];
  readonly #hostStates = new Map<string, HostState>();

  constructor(session: Session, options: WatchRowsOptions) {
    this.#session = session;
    this.#options = options;
  }

  take({ step }: WatchResponse): void {
    if (step?.$case === "reset") this.#snapshot = new Map();
    if (step?.$case === "snapshotEnd") this.#endSnapshot();
    if (step?.$case === "removed") this.#remove(step.value.name);
    const resource = step?.$case === "upsert" ? unpack(step.value) : undefined;
    if (resource !== undefined) this.#upsert(resource);
  }

  #upsert(resource: AnyResource): void {
    const { kind, wanted } = this.#options;
    if (isOfKind(resource, "host") && kind.singular !== "host") {
      this.#noteHost(resource.value);
      return;
    }
    const name = resource.value.name;
    if (this.#snapshot !== undefined) {
      if (wanted(resource)) this.#snapshot.set(name, resource);
      return;
    }
    if (!wanted(resource)) {
      this.#remove(name);
      return;
    }
    const look = fingerprint(resource);
    if (this.#shown.get(name) === look) return;
    this.#shown.set(name, look);
    this.#print([resource]);
  }

  #remove(name: string): void {
    this.#snapshot?.delete(name);
    if (!this.#shown.delete(name)) return;
    const { output } = this.#options.form;
    const line = escapeText(`${output === "name" ? name : shortName(name)} is gone`);
    // What reads CSV takes every line for a row.
    if (output === "csv") this.#session.note(line);
    else this.#session.print(line);
  }

  #endSnapshot(): void {
    const resources = this.#snapshot ?? new Map<string, AnyResource>();
    this.#snapshot = undefined;
    for (const name of [...this.#shown.keys()]) if (!resources.has(name)) this.#remove(name);
    const changed = [...resources.values()].filter((resource) => {
      const look = fingerprint(resource);
      const known = this.#shown.get(resource.value.name) === look;
      this.#shown.set(resource.value.name, look);
      return !known;
    });
    this.#print(this.#sorted(changed.sort((a, b) => (a.value.name < b.value.name ? -1 : 1))));
  }

  #sorted(resources: readonly AnyResource[]): readonly AnyResource[] {
    const { kind, form, labelColumns, make } = this.#options;
    if (form.sortBy === undefined) return resources;
    const { columns, rows } = resourceRows(resources, kind, { labelColumns, stale: new Map() });
    const byName = new Map(resources.map((resource) => [resource.value.name, resource]));
    return sortedRows(columns, rows, form.sortBy, make).flatMap(({ row }) => byName.get(row.name) ?? []);
  }

  #print(resources: readonly AnyResource[]): void {
    const session = this.#session;
    const { kind, form, labelColumns, make } = this.#options;
    if (form.output === "name") {
      for (const resource of resources) session.print(escapeText(resource.value.name));
      return;
    }
    if (resources.length === 0) return;
    let table = this.#table;
    if (table === undefined || !resources.every((resource) => table?.fits(resource))) {
      this.#sample = [...this.#sample, ...resources];
      const layout = tableOptions(session.io, form.output === "wide" || form.columns !== undefined);
      table = resourceTable(this.#sample, kind, { ...layout, labelColumns, make, form, stale: new Map() });
      this.#table = table;
      if (form.headers !== false) session.print(table.header());
    }
    for (const resource of resources) session.print(table.row(resource));
  }

  #noteHost({ name, state }: Host): void {
    const before = this.#hostStates.get(name) ?? HostState.HOST_STATE_READY;
    this.#hostStates.set(name, state);
    // Of a host that has not joined yet nothing is shown that could be old.
    if (before === state || state === HostState.HOST_STATE_PENDING) return;
    const ready = state === HostState.HOST_STATE_READY;
    const text = ready ? "what is shown of it is current" : "what is shown of it may be old";
    this.#session.note(escapeText(`host ${shortName(name)} is ${hostStateName(state)}; ${text}`));
  }
}

/** What changes all the time without anything having happened. */
const restless =
  /^(observeTime|lastSeen\w*|\w+(Frames|Bytes)|rtt|sessionRtt|lossRatio|loadAverage|memoryAvailableMib)$/;

/** Equal for resources that differ in counters and measurements only. */
function fingerprint(resource: AnyResource): string {
  return JSON.stringify(codecOf(resource.kind).toJSON(resource.value), (key, value: unknown) =>
    restless.test(key) ? undefined : value,
  );
}
