import type { FlowFigures } from "../flows/lan-flows.js";
import { meterBases, meterUses } from "./port-flows.js";
import { portTables } from "./port-tables.js";

/** How many frames of a port were dropped, by why. */
export interface PortDrops {
  readonly rate: bigint;
  readonly storm: bigint;
  readonly guard: bigint;
  readonly maxMacs: bigint;
  /** Of the last, how many had been before the agent began. */
  readonly maxMacsBefore: bigint;
}

/** Nothing was dropped. */
export const noDrops: PortDrops = { rate: 0n, storm: 0n, guard: 0n, maxMacs: 0n, maxMacsBefore: 0n };

const guardTables: readonly number[] = [portTables.macs, portTables.targets, portTables.sources];

/** Reads what flows and meters of a lan have met, by the names of ports; pure. */
export function portDrops(figures: FlowFigures | undefined): ReadonlyMap<string, PortDrops> {
  if (figures === undefined) return new Map();
  const bases = meterBases(figures.ports);
  const refused = refusals(figures);
  return new Map(
    figures.ports.map(({ port, number }) => {
      const base = bases.get(number) ?? 0;
      const [rate = 0n, ...storms] = meterUses.map((_, use) => figures.drops.get(base + use) ?? 0n);
      const storm = storms.reduce((sum, frames) => sum + frames, 0n);
      return [port, { ...noDrops, ...refused.get(number), rate, storm }];
    }),
  );
}

/** What flows have dropped, by the numbers of ports. */
function refusals({ flows, frames, before }: FlowFigures): ReadonlyMap<number, Partial<PortDrops>> {
  const found = new Map<number, { guard: bigint; maxMacs: bigint; maxMacsBefore: bigint }>();
  for (const [cookie, flow] of flows) {
    const [, table, number] = /^table=(\d+), .*\bin_port=(\d+)\b.* actions=drop$/.exec(flow) ?? [];
    if (table === undefined) continue;
    const sum = found.get(Number(number)) ?? { guard: 0n, maxMacs: 0n, maxMacsBefore: 0n };
    found.set(Number(number), sum);
    const met = frames.get(cookie) ?? 0n;
    if (guardTables.includes(Number(table))) sum.guard += met;
    if (Number(table) !== portTables.counted) continue;
    sum.maxMacs += met;
    sum.maxMacsBefore += before.get(cookie) ?? 0n;
  }
  return found;
}
