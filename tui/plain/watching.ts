import { formatAge } from "../kit/format.js";
import type { TuiKind } from "../kit/kind.js";
import { Looks } from "../kit/map/looks.js";
import type { Model } from "../kit/model.js";
import { shortName } from "../kit/resource-name.js";
import type { Row } from "../kit/row.js";
import { rowWords } from "../kit/spoken/row-words.js";
import { plainText } from "../kit/text/plain-text.js";

/** What is watched. */
export interface Watched {
  readonly kinds: readonly TuiKind[];
  /** Only these. Default: all. */
  passes?(row: Row): boolean;
}

interface Seen {
  readonly name: string;
  readonly word: string;
}

/** Rows as they were when they were looked at last, by slot. */
interface SeenTable {
  version: number;
  readonly seen: Map<number, Seen>;
}

/** Tells how rows change, a line each: "host beta: connected to lost, last seen 3 s ago". */
export class Watching {
  readonly #model: Model;
  readonly #watched: Watched;
  readonly #tables = new Map<string, SeenTable>();

  /** What there is now is no change. */
  constructor(model: Model, watched: Watched) {
    this.#model = model;
    this.#watched = watched;
    this.changes();
  }

  /** What has changed since this was asked last. */
  changes(): readonly string[] {
    return this.#watched.kinds.flatMap((kind) => this.#changesOf(kind));
  }

  #changesOf(kind: TuiKind): readonly string[] {
    const { fleet } = this.#model;
    const table = fleet.table(kind.kind);
    const known = this.#tables.get(kind.kind);
    const { seen, version } = known ?? { seen: new Map<number, Seen>(), version: -1 };
    const since = table.changesSince(version);
    this.#tables.set(kind.kind, { seen, version: since.version });
    if (since.version === version) return [];
    const looks = new Looks(fleet);
    const slots = since.everything ? Array.from({ length: table.capacity }, (_, slot) => slot) : since.slots;
    const said: string[] = [];
    for (const slot of slots) {
      const row = table.at(slot);
      const isIn = row !== undefined && (this.#watched.passes?.(row) ?? true);
      const before = seen.get(slot);
      const now = isIn ? { name: row.name, word: looks.styleOfRow(row).word } : undefined;
      if (now === undefined) seen.delete(slot);
      else seen.set(slot, now);
      if (known === undefined) continue;
      if (before !== undefined && before.name !== now?.name) said.push(`${subject(kind, before.name)}: gone`);
      if (now === undefined || row === undefined) continue;
      if (kind.log !== undefined) {
        if (before?.name !== now.name) said.push(rowWords(kind, kind.columns, row, this.#model.context));
      } else if (before?.name !== now.name) said.push(`${subject(kind, now.name)}: new, ${now.word}`);
      else if (before.word !== now.word) said.push(this.#changed(kind, row, before.word, now.word));
    }
    return said;
  }

  #changed(kind: TuiKind, row: Row, before: string, now: string): string {
    const { fleet, nowMs } = this.#model;
    const age = nowMs - row.receivedAtMs;
    const seen = fleet.lastSeenTime(row.id);
    const isLost = kind.presence !== undefined && !fleet.isReachable(row.id) && seen !== undefined;
    const since = isLost
      ? `, last seen ${formatAge(Math.max(0, fleet.hubTimeMs(nowMs) - seen.getTime()))} ago`
      : age >= 1000
        ? `, ${formatAge(age)} ago`
        : "";
    return plainText(`${subject(kind, row.name)}: ${before} -> ${now}${since}`);
  }
}

/** "instance alpha/vm1" */
export function subject(kind: TuiKind, name: string): string {
  return plainText(`${kind.kind} ${shortName(name)}`);
}
