// What it costs a hub to tell Prometheus of a whole fleet: npm run bench -- metrics [--json] [--series N] [--rounds N].
// The fleet is kept as a hub keeps it: most of it encoded. With --json standard output is one object and the table goes to standard error.
import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { FigureDecoder } from "../../lib/figures/decoder.js";
import { exposition } from "../../lib/metrics/exposition.js";
import { type FigureReading, findFigureGroup } from "../../lib/metrics/figure-families.js";
import { encode, Kept } from "../../lib/watch/kept.js";
import { WatchLog } from "../../lib/watch/watch-log.js";
import { WatchFiguresResponse } from "../../proto/gen/zor/v1/figures_service.js";
import { Host } from "../../proto/gen/zor/v1/host.js";
import { Instance } from "../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../proto/gen/zor/v1/lan.js";
import { Link } from "../../proto/gen/zor/v1/link.js";
import { Wire } from "../../proto/gen/zor/v1/wire.js";
import { median } from "./c2c/statistics.js";

const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    series: { type: "string", default: "20000" },
    rounds: { type: "string", default: "21" },
  },
});
const [wanted, rounds] = [Number(values.series), Number(values.rounds)];
if (!Number.isInteger(wanted) || wanted < 100 || !Number.isInteger(rounds) || rounds < 1) {
  console.error("npm run bench -- metrics [--json] [--series N] [--rounds N]");
  process.exit(2);
}

const limits = { scrape_ms: 150, loop_held_ms: 20 };
const [totals, helds]: [number[], number[]] = [[], []];
const { log, figures } = fleetOf(wanted);
let [series, bytes] = [0, 0];
// The first ones are compiled meanwhile.
for (let round = -3; round < rounds; round += 1) {
  const measured = await scrape();
  ({ series, bytes } = measured);
  if (round < 0) continue;
  totals.push(measured.totalMs);
  helds.push(measured.heldMs);
}
// The worst turn of each round; the worst of all rounds is what else the machine does.
const bars = { scrape_ms: median(totals) ?? 0, loop_held_ms: median(helds) ?? 0 };
const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}, Linux ${release()}`;
const lines = Object.entries(limits).map(([name, limit]) => {
  const value = bars[name as keyof typeof bars];
  return `${name.padEnd(14)} ${value.toFixed(1).padStart(8)}, at most ${limit}: ${value <= limit ? "met" : "missed"}`;
});
const table = [`${machine}; ${series} series, ${bytes} bytes, ${rounds} rounds`, ...lines].join("\n");
if (values.json === true) {
  console.error(table);
  console.log(
    JSON.stringify({ machine, series, bytes, rounds, worst_loop_held_ms: Math.max(...helds), bars }, undefined, 2),
  );
} else console.log(table);
process.exit(0);

/** Reads all once, while a timer says how long others had to wait for their turn. */
async function scrape(): Promise<{ totalMs: number; heldMs: number; series: number; bytes: number }> {
  let [heldMs, isDone, last] = [0, false, performance.now()];
  const look = (): void => {
    const now = performance.now();
    heldMs = Math.max(heldMs, now - last);
    last = now;
    if (!isDone) setImmediate(look);
  };
  setImmediate(look);
  const begin = performance.now();
  let [found, bytes] = [0, 0];
  const told = { log, own: { program: "hub", hooks: [], events: { last: 1 } }, measured: () => readings(figures) };
  for await (const piece of exposition(told)) {
    bytes += Buffer.from(piece).length;
    // Each line but the two of each family's head.
    for (let at = piece.indexOf("\n"); at !== -1; at = piece.indexOf("\n", at + 1)) found += 1;
    if (piece.startsWith("# HELP")) found -= 2 * (piece.split("# HELP").length - 1);
  }
  const totalMs = performance.now() - begin;
  isDone = true;
  return { totalMs, heldMs: Math.max(heldMs, performance.now() - last), series: found, bytes };
}

/** A fleet with about so many series: hosts with 40 instances, 8 lans of 6 ports and 4 wires, and links; all of it measured. */
function fleetOf(count: number): { readonly log: WatchLog; readonly figures: FigureDecoder } {
  const [made, decoder] = [new WatchLog(), new FigureDecoder()];
  const ofHost = 9 + 6 + 5 + 2 * 5;
  const seriesOfHost = ofHost + 40 * (4 + 16) + 8 * (2 + 6 * 5) + 4 * (1 + 2 * 6) + 4 * (14 + 6);
  const put = (kind: string, name: string, value: object): void => {
    made.put(Kept.ofText(kind, name, encode(kind, { name, ...value })));
  };
  for (let host = 0; host < Math.ceil(count / seriesOfHost); host += 1) {
    const at = `hosts/h${host}`;
    const fact = {
      fingerprint: { cpus: 8, memoryMib: 65_536n },
      summary: { loadAverage: 1.5, memoryAvailableMib: 4096n },
    };
    const seen = { lastSeenTime: new Date(), sessionRtt: { seconds: 0n, nanos: 400_000 } };
    put("host", at, Host.fromPartial({ state: 3, ...fact, ...seen }));
    for (let id = 0; id < 40; id += 1) {
      const status = { state: 3, startTime: new Date(), restart: { count: 1 } };
      const nics = [{ name: "eth0", lan: "lan0" }];
      put("instance", `${at}/instances/vm${id}`, Instance.fromPartial({ spec: { nics }, status }));
    }
    for (let id = 0; id < 8; id += 1) {
      const ports = Array.from({ length: 6 }, (_, port) => ({
        endpoint: `${at}/instances/vm${port}/nics/eth0`,
        ...{ rxFrames: 12_345n, rxBytes: 1_234_567_890n, txFrames: 54_321n, txBytes: 987_654_321n, droppedFrames: 3n },
      }));
      put("lan", `${at}/lans/lan${id}`, Lan.fromPartial({ status: { datapath: "netdev", ports } }));
    }
    for (let id = 0; id < 4; id += 1) {
      const end = { lan: `${at}/lans/lan${id}`, rxFrames: 123n, rxBytes: 456n, txFrames: 789n, txBytes: 12n };
      const status = { state: 3, rtt: { seconds: 0n, nanos: 900_000 }, lossRatio: 0, endA: end, endB: end };
      put("link", `links/h${host}-${id}`, Link.fromPartial({ status }));
      put("wire", `${at}/wires/w${id}`, Wire.fromPartial({ status: { state: 1 } }));
    }
    decoder.take(measuredOn(host));
  }
  return { log: made, figures: decoder };
}

/** What the agent of a host tells the hub of what it measures. */
function measuredOn(host: number): WatchFiguresResponse {
  const at = `hosts/h${host}`;
  const four = [0, 1, 2, 3];
  const things = [
    [at, ""],
    [at, "disk:sda"],
    [at, "disk:sdb"],
    ...Array.from({ length: 40 }, (_, id) => [`${at}/instances/vm${id}`, ""]),
    ...four.flatMap((id) => ["a", "b"].map((end) => [`${at}/wires/w${id}`, end])),
    ...four.map((id) => [`links/h${host}-${id}`, `${at}/lans/lan${id}`]),
  ] as const;
  const subjects = things.map(([name = "", part = ""], number) => {
    const families = findFigureGroup(name, part)?.group.families ?? [];
    return { number, name, part, figures: [...new Set(families.flatMap((family) => family.figures))] };
  });
  const values = subjects.flatMap(({ figures: each }) => each).map((_, index) => 123_456_789n * BigInt(index + 1));
  return WatchFiguresResponse.fromPartial({
    ...{ host: at, timeMillis: 1n, anew: true, subjects },
    ...{ steps: values.map(() => 1), changes: values },
  });
}

function* readings(decoder: FigureDecoder): Iterable<FigureReading> {
  for (const { name, part, values: each } of decoder.all()) yield { name, part, valueAt: (figure) => each.get(figure) };
}
