import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { cookieOf, type FlowMeter, type FlowPort, type FlowSet } from "../flows/flow-set.js";
import { flowTables, partRanges } from "../flows/pipeline.js";
import { guardFlows, type OwnAddresses } from "./guard-flows.js";
import { burstBytesOf } from "./port-rate.js";
import { stormBurst } from "./storm.js";
import { portTables } from "./port-tables.js";

/** What flows are to do with the frames of a port. */
export interface FlowSettings {
  readonly settings: PortSettings;
  /** Undefined: they are not known, and no guard holds. */
  readonly own: OwnAddresses | undefined;
}

/** What a meter of a port is for; each port has room for all. */
export const meterUses = ["rate", "broadcast", "multicast", "unknown"] as const;
type Use = (typeof meterUses)[number];

const { guards } = flowTables;
const { counting, counted, rate, storm, unknown, learning, learned } = portTables;
/** Cookie of what is learned, which is nobody's; for how many addresses, and how long after the last frame, in seconds. */
const learn = { cookie: "0x5b00000000000000", limit: 8192, seconds: 300 } as const;
/** The upper 16 bits of the cookies of MAC addresses that are counted. */
const countedCookie = 0x5b01;
/** A bit of a register that no other part uses: somebody has sent from where the frame goes. */
const isKnown = "reg15";

/** Another: the frame comes from one of so many MAC addresses as its port may send from. */
const isCounted = "NXM_NX_REG15[1]";

/** Whether a port needs flows; pure. */
export function needsFlows({ rateIn, stormControl, addressGuard, maxMacs }: PortSettings): boolean {
  return rateIn !== undefined || stormControl !== undefined || addressGuard !== undefined || maxMacs > 0;
}

/** The flows and meters of the ports of a lan; pure. @param wanted by the name of the port */
export function portFlows(ports: readonly FlowPort[], wanted: ReadonlyMap<string, FlowSettings>): FlowSet {
  const bases = meterBases(ports);
  const sets = ports.flatMap(({ port, number }) => {
    const found = wanted.get(port);
    if (found === undefined) return [];
    const set = flowsOf(number, bases.get(number) ?? 0, found);
    return [{ ...set, flows: [...set.flows, ...countingFlows(port, number, found.settings.maxMacs)] }];
  });
  const flows = sets.flatMap((set) => set.flows);
  if (flows.length === 0) return { flows };
  const learns = [...wanted.values()].some(({ settings }) => (settings.stormControl?.unknownUnicastPerSecond ?? 0) > 0);
  return { flows: [...flows, ...stages(learns)], meters: sets.flatMap((set) => set.meters) };
}

/** Those of one port. @param base its first meter */
function flowsOf(port: number, base: number, { settings, own }: FlowSettings) {
  const { rateIn, stormControl, addressGuard } = settings;
  const flows = addressGuard === undefined || own === undefined ? [] : [...guardFlows(port, addressGuard, own)];
  const meters: FlowMeter[] = [];
  const limit = (use: Use, meter: Omit<FlowMeter, "id">, match: string): void => {
    const id = base + meterUses.indexOf(use);
    meters.push({ id, ...meter });
    const table = use === "rate" ? rate : use === "unknown" ? unknown : storm;
    flows.push(`table=${table},${match},actions=meter:${id},${after(table)}`);
  };
  const frames = (perSecond: number) => ({ unit: "pktps", rate: perSecond, burst: stormBurst(perSecond) }) as const;
  if (rateIn !== undefined) {
    const kilobits = (bits: number): number => Math.round(bits / 1000);
    const meter = { rate: kilobits(Number(rateIn.rateBps)), burst: kilobits(burstBytesOf(rateIn) * 8) };
    limit("rate", { unit: "kbps", ...meter }, `priority=10,in_port=${port}`);
  }
  const { broadcastPerSecond = 0, multicastPerSecond = 0, unknownUnicastPerSecond = 0 } = stormControl ?? {};
  if (broadcastPerSecond > 0)
    limit("broadcast", frames(broadcastPerSecond), `priority=30,in_port=${port},${everybody}`);
  else if (multicastPerSecond > 0)
    flows.push(`table=${storm},priority=30,in_port=${port},${everybody},actions=${after(storm)}`);
  if (multicastPerSecond > 0) limit("multicast", frames(multicastPerSecond), `priority=20,in_port=${port},${group}`);
  if (unknownUnicastPerSecond > 0) {
    const unicast = `in_port=${port},${single}`;
    const look = `load:0->NXM_NX_REG15[0],resubmit(,${learned}),${after(storm)}`;
    flows.push(`table=${storm},priority=10,${unicast},actions=${look}`);
    limit("unknown", frames(unknownUnicastPerSecond), `priority=10,${isKnown}=0/1,${unicast}`);
  }
  return { flows, meters };
}

/**
 * The switch remembers each MAC address from which a frame came, so many and no more; the frames themselves prolong what it remembers. What
 * is counted has a cookie of the port and the limit: a port in its place, or with another limit, begins anew.
 */
function countingFlows(port: string, number: number, limit: number): readonly string[] {
  if (limit === 0) return [];
  const cookie = cookieOf(countedCookie, `${port} ${limit}`);
  const spec = `table=${learned},priority=0,cookie=${cookie},hard_timeout=${learn.seconds},limit=${limit}`;
  const remember = `learn(${spec},result_dst=${isCounted},NXM_OF_IN_PORT[],NXM_OF_ETH_SRC[])`;
  return [
    `table=${counting},priority=10,in_port=${number},actions=${remember},${after(counting)}`,
    `table=${counted},priority=10,reg15=0/2,in_port=${number},actions=drop`,
  ];
}

const everybody = "dl_dst=ff:ff:ff:ff:ff:ff";
const group = "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00";
const single = "dl_dst=00:00:00:00:00:00/01:00:00:00:00:00";

function after(table: number): string {
  return `goto_table:${table + 1}`;
}

/** What leads from one table to the next, and, where it is asked for, remembers who has sent. */
function stages(learns: boolean): readonly string[] {
  const spec = `table=${learned},priority=1,cookie=${learn.cookie},hard_timeout=${learn.seconds},limit=${learn.limit}`;
  const remember = `learn(${spec},NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:1->NXM_NX_REG15[0]),`;
  return [
    `table=${guards},priority=2,actions=${after(guards)}`,
    ...Array.from({ length: learning - guards - 1 }, (_, index) => guards + 1 + index).map(
      (table) => `table=${table},priority=0,actions=${after(table)}`,
    ),
    `table=${learning},priority=0,actions=${learns ? remember : ""}goto_table:${flowTables.fromNics}`,
  ];
}

/** The first meter of each port. It follows from the port's number, so that it stays when others come and go. */
export function meterBases(ports: readonly FlowPort[]): ReadonlyMap<number, number> {
  const [first, last] = partRanges.port.meters;
  const places = Math.floor((last - first + 1) / meterUses.length);
  const taken = new Set<number>();
  const bases = new Map<number, number>();
  for (const { number } of ports) {
    let place = number % places;
    while (taken.has(place)) place = (place + 1) % places;
    taken.add(place);
    bases.set(number, first + place * meterUses.length);
  }
  return bases;
}
