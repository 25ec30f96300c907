import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { resourceExhausted } from "../../../lib/errors.js";
import { writeFileAtomic } from "../../../lib/files.js";

/** Logical units by target: which volume has which. */
const ledgerSchema = z.object({
  units: z.array(z.object({ portal: z.string(), target: z.string(), lun: z.number(), uid: z.string() })),
});
type Ledger = z.output<typeof ledgerSchema>;

/** A target. */
export interface Target {
  readonly portal: string;
  readonly target: string;
}

/** A logical unit. */
export interface Unit {
  readonly lun: number;
  readonly sizeBytes: bigint;
}

/** Remembers which volume has which logical unit of a target: they are there before, and nothing on them tells. */
export class IscsiUnits {
  readonly #path: string;
  #last: Promise<unknown> = Promise.resolve();

  /** @param state state directory of the agent. */
  constructor(private readonly state: string) {
    this.#path = join(state, "storage-iscsi.json");
  }

  /** The logical unit of a volume; undefined: it has none. */
  async find(at: Target, uid: string): Promise<number | undefined> {
    return (await this.#read()).units.find((unit) => isAt(unit, at) && unit.uid === uid)?.lun;
  }

  /** Logical units of a target that volumes have. */
  async taken(at: Target): Promise<ReadonlySet<number>> {
    return new Set((await this.#read()).units.filter((unit) => isAt(unit, at)).map(({ lun }) => lun));
  }

  /**
   * Gives a volume the smallest logical unit that is large enough; kept when it resolves.
   * @throws {ZorError} RESOURCE_EXHAUSTED when none is.
   */
  take(
    at: Target,
    wanted: { readonly uid: string; readonly sizeBytes: bigint; readonly resource: string },
    units: readonly Unit[],
  ): Promise<Unit> {
    return this.#change((ledger) => {
      const { uid, sizeBytes, resource } = wanted;
      const others = ledger.units.filter((unit) => !(isAt(unit, at) && unit.uid === uid));
      const taken = new Set(others.filter((unit) => isAt(unit, at)).map(({ lun }) => lun));
      const fitting = units.filter((unit) => !taken.has(unit.lun) && unit.sizeBytes >= sizeBytes);
      const best = fitting.toSorted((one, other) => Number(one.sizeBytes - other.sizeBytes) || one.lun - other.lun)[0];
      if (best === undefined) {
        const why = `no logical unit of ${at.target} that is free has ${sizeBytes} bytes`;
        const remedy = "make one at the target and add its number to luns in the agent's settings";
        throw resourceExhausted("NO_LOGICAL_UNIT", `${resource}: ${why}; ${remedy}`, resource);
      }
      return [{ units: [...others, { portal: at.portal, target: at.target, lun: best.lun, uid }] }, best];
    });
  }

  /** The volume needs its logical unit no more. Idempotent. */
  give(at: Target, uid: string): Promise<void> {
    return this.#change((ledger) => [
      { units: ledger.units.filter((unit) => !(isAt(unit, at) && unit.uid === uid)) },
      undefined,
    ]);
  }

  /** One after the other: two volumes would take the same one. */
  #change<T>(change: (ledger: Ledger) => readonly [Ledger, T]): Promise<T> {
    const turn = this.#last.then(async () => {
      const [ledger, result] = change(await this.#read());
      await mkdir(this.state, { recursive: true, mode: 0o700 });
      await writeFileAtomic(this.#path, JSON.stringify(ledger));
      return result;
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Damaged it is an error: taking it for empty would give a unit away that has content. */
  async #read(): Promise<Ledger> {
    const text = await readFile(this.#path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    return text === undefined ? { units: [] } : ledgerSchema.parse(JSON.parse(text));
  }
}

function isAt(unit: Target, { portal, target }: Target): boolean {
  return unit.portal === portal && unit.target === target;
}
