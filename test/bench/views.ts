import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { FactSource } from "../../hub/views/tables.js";
import { Views } from "../../hub/views/views.js";
import { encode, Kept } from "../../lib/watch/kept.js";
import { WatchLog } from "../../lib/watch/watch-log.js";
import { Figure } from "../../proto/gen/zor/v1/figures.js";
import { Instance, InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { Role } from "../../proto/gen/zor/v1/token_service.js";
import { WatchViewRequest } from "../../proto/gen/zor/v1/view_service.js";

/**
 * What live views cost a hub: many rows, ten views sorted by what is measured, of ten different queries, and many changes a second, half of them of
 * figures and half of states. `view_hub_core` is the part of a core that all of it takes, the log included.
 */
const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "100000" },
    views: { type: "string", default: "10" },
    changes: { type: "string", default: "2000" },
    seconds: { type: "string", default: "10" },
    json: { type: "boolean", default: false },
  },
});
const [count, many, rate, seconds] = [values.rows, values.views, values.changes, values.seconds].map(Number) as [
  number,
  number,
  number,
  number,
];
const hosts = 2000;
/** The part of a core that is allowed. */
const bar = 0.5;
const states = [InstanceState.INSTANCE_STATE_RUNNING, InstanceState.INSTANCE_STATE_STOPPED];
const nameOf = (at: number): string => `hosts/h${at % hosts}/instances/vm${at}`;

function instance(at: number, turn: number): Instance {
  return Instance.fromPartial({
    name: nameOf(at),
    uid: `u${at}`,
    labels: { site: `s${at % 20}`, owner: `o${at % 300}` },
    spec: {
      cpus: 1 + (at % 8),
      memoryMib: BigInt(512 * (1 + (at % 16))),
      nics: [{ name: "eth0", lan: `lan${at % 50}` }],
    },
    status: { state: states[(at + turn) % 2] ?? 0, reason: turn === 0 ? "" : `turn ${turn}` },
    createTime: new Date(1_700_000_000_000 + at * 1000),
  });
}

const log = new WatchLog();
const cpu = new Map<string, number>();
const listeners: ((name: string) => void)[] = [];
const facts: FactSource = {
  nowMs: () => Date.now(),
  figure: (name, figure) => (figure === Figure.FIGURE_CPU_OF_LIMIT ? cpu.get(name) : undefined),
  links: () => [],
  hold: async () => () => undefined,
  onFigure: (listener) => void listeners.push(listener),
};
const put = (value: Instance): void => log.put(Kept.ofText("instance", value.name, encode("instance", value)), value);
for (let at = 0; at < count; at += 1) {
  put(instance(at, 0));
  cpu.set(nameOf(at), (at * 7919) % 1000);
}
const views = new Views({ log, facts });
const ending = new AbortController();
const told = { responses: 0, rows: 0 };

async function follow(query: string): Promise<number> {
  const began = performance.now();
  const request = WatchViewRequest.fromPartial({ kinds: ["instance"], query, limit: 100, columns: ["cpu"] });
  const stream = views.watch(request, { caller: "bench", role: Role.ROLE_VIEWER, signal: ending.signal });
  await stream.next();
  const firstMs = performance.now() - began;
  void (async () => {
    for await (const { rows } of stream) {
      told.responses += 1;
      told.rows += rows.length;
    }
  })();
  return firstMs;
}

const firstMs: number[] = [];
for (let at = 0; at < many; at += 1) {
  const filters = [
    "",
    "state=running",
    "cpu>10%",
    `label.site!=s${at}`,
    "mem>=1GiB",
    "host~h1",
    "vm1",
    "cpus<8",
    "age>1h",
    "not state=stopped",
  ];
  firstMs.push(await follow(`${filters[at % filters.length] ?? ""} sort by cpu desc`));
}
const typed: number[] = [];
for (const text of ["v", "vm", "vm9", "vm99", "vm991", "state=running vm99", "~v9m"])
  typed.push(await follow(`${text} sort by cpu desc limit 50`));

const everyMs = 10;
const each = (rate * everyMs) / 1000;
const made = Array.from({ length: 4000 }, (_, at) => instance((at * 104_729) % count, 1 + (at % 2)));
let [due, done] = [0, 0];
const before = process.cpuUsage();
const began = performance.now();
await new Promise<void>((resolve) => {
  const timer = setInterval(() => {
    due = ((performance.now() - began) / everyMs) * each;
    for (; done < due; done += 1) {
      if (done % 2 === 0) {
        const name = nameOf((done * 7907) % count);
        cpu.set(name, (done * 31) % 1000);
        for (const listener of listeners) listener(name);
      } else put(made[done % made.length] ?? instance(0, done));
    }
    if (performance.now() - began < seconds * 1000) return;
    clearInterval(timer);
    resolve();
  }, everyMs);
});
const used = process.cpuUsage(before);
const wallMs = performance.now() - began;
ending.abort();
views.close();
const core = (used.user + used.system) / 1000 / wallMs;
const figures = {
  rows: count,
  views: many,
  changes_per_second: Math.round((done / wallMs) * 1000),
  first_view_ms: Math.round(firstMs[0] ?? 0),
  other_views_ms: firstMs.slice(1).map(Math.round),
  typed_filter_ms: typed.map(Math.round),
  responses: told.responses,
  rows_told: told.rows,
  view_hub_core: Number(core.toFixed(3)),
};
const isGood = core <= bar;
if (values.json)
  console.log(JSON.stringify({ figures, bars: { view_hub_core: { most: bar, is: figures.view_hub_core, isGood } } }));
else {
  for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(20)} ${String(value)}`);
  console.log(`view_hub_core <= ${bar}: ${isGood ? "yes" : "NO"}`);
}
process.exitCode = isGood ? 0 : 1;
