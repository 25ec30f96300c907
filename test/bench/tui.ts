// The real terminal program in a pseudo terminal, against a hub with a made-up fleet of 2,000 hosts and 100,000 instances that changes 2,000
// times a second: npm run bench -- tui [--json] [--hosts N] [--instances PER_HOST] [--changes PER_SECOND]. With --json standard output is one
// object and the table goes to standard error.
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { launcherPath } from "../../lib/program.js";
import { PtyProgram, type TerminalSize } from "../helpers/pty.js";
import { quantile } from "./c2c/statistics.js";
import { HubProcess } from "./tui/hub-process.js";
import { processorSeconds, residentMib } from "./tui/process-figures.js";
import { Seen } from "./tui/seen.js";
import { hubVerb, serveHub } from "./tui/synthetic-hub.js";

const [verb, ...words] = process.argv.slice(2);
if (verb === hubVerb) await serveHub(words);

const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    hosts: { type: "string", default: "2000" },
    instances: { type: "string", default: "50" },
    changes: { type: "string", default: "2000" },
  },
});
const [hosts, perHost, changes] = [values.hosts, values.instances, values.changes].map(Number);
const total = (hosts ?? 0) * (perHost ?? 0);
if (hosts === undefined || perHost === undefined || changes === undefined || !(total > 20) || !(changes >= 0)) {
  console.error("npm run bench -- tui [--json] [--hosts N] [--instances PER_HOST] [--changes PER_SECOND]");
  process.exit(2);
}

/** The bars: each at most. */
const limits = {
  first_paint_ms: 1000,
  key_p99_ms: 50,
  event_p99_ms: 250,
  busy_core: 0.25,
  idle_core: 0.02,
  rss_mib: 250,
  idle_bytes_s: 500,
  busy_bytes_s: 10_000,
} as const;
type Bar = keyof typeof limits;

/** More that is told of a run. */
interface Found {
  readonly bars: Readonly<Partial<Record<Bar, number>>>;
  readonly more: Readonly<Record<string, number>>;
}

const settleMs = 5_000;
const lookMs = 10_000;
const patienceMs = 60_000;
const keys = 200;
const marks = 100;
const small: TerminalSize = { columns: 80, rows: 24 };
const large: TerminalSize = { columns: 200, rows: 50 };

const directory = await mkdtemp(join(tmpdir(), "zt-bench-tui-"));
try {
  await using hub = new HubProcess(directory, { hosts, instances: perHost });
  const config = await hub.configDirectory();
  const first = await measure(hub, config, small);
  const second = await measure(hub, config, large);
  report([
    [small, first],
    [large, second],
  ]);
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);

/** One life of the program, on a screen of one size. */
async function measure(hub: HubProcess, config: string, size: TerminalSize): Promise<Found> {
  progress(size, "starts");
  const env = {
    PATH: process.env["PATH"],
    HOME: directory,
    ZOR_CONFIG: config,
    LC_ALL: "C.UTF-8",
    TERM: "xterm-256color",
    XDG_STATE_HOME: directory,
  };
  const began = performance.now();
  await using program = new PtyProgram([launcherPath, "tui"], size, env);
  const seen = new Seen(program, size);
  const firstMs = (await seen.until("alpha", patienceMs)) - began;
  // The header counts all of them.
  const loadedMs = (await seen.until(`instances ${total} `, patienceMs)) - began;
  const { pid } = program.child;
  if (pid === undefined) throw new Error("the program was not started");
  program.type("2");
  await seen.until("vm0 ", patienceMs);
  await delay(settleMs);
  progress(size, "idle");
  const idle = await look(seen, pid);
  progress(size, `${changes} changes a second`);
  hub.setRate(changes ?? 0);
  await delay(settleMs);
  const busy = await look(seen, pid);
  progress(size, "changes until they are seen");
  const eventMs: number[] = [];
  for (let index = 0; index < marks; index += 1) {
    const reason = `mark-${size.columns}-${index}.`;
    const visible = seen.until(reason, patienceMs);
    const made = await hub.mark(reason);
    eventMs.push((await visible) - made);
    await delay(Math.random() * 100);
  }
  progress(size, "keys until they are seen");
  const keyMs: number[] = [];
  for (const letter of "/vm1") {
    program.type(letter);
    await delay(500);
  }
  await seen.until("/vm1 ", patienceMs);
  for (let index = 0; index < keys; index += 1) {
    const [key, filter] = index % 2 === 0 ? [`${(index / 2) % 10}`, `/vm1${(index / 2) % 10} `] : ["\x7f", "/vm1 "];
    const visible = seen.until(filter, patienceMs);
    const pressed = performance.now();
    program.type(key);
    keyMs.push((await visible) - pressed);
    await delay(Math.random() * 100);
  }
  const resident = residentMib(pid);
  progress(size, "sorted by what is measured, while it changes");
  program.type("\x1b");
  await delay(500);
  program.type("B");
  await seen.until("CPU%↓", patienceMs);
  await delay(settleMs);
  const sorted = await look(seen, pid);
  hub.setRate(0);
  // The order is kept: the next life begins as this one did.
  program.type(":as-usual\r");
  await seen.until("HOST↑", patienceMs);
  // It is written to a file.
  await delay(1000);
  program.type("\x1bq");
  return {
    bars: {
      first_paint_ms: firstMs,
      key_p99_ms: quantile(keyMs, 0.99) ?? Number.NaN,
      event_p99_ms: quantile(eventMs, 0.99) ?? Number.NaN,
      busy_core: busy.core,
      idle_core: idle.core,
      rss_mib: Math.max(resident, busy.mib),
      ...(size === small ? { idle_bytes_s: idle.bytesPerSecond, busy_bytes_s: busy.bytesPerSecond } : {}),
    },
    more: {
      loaded_ms: loadedMs,
      key_median_ms: quantile(keyMs, 0.5) ?? Number.NaN,
      event_median_ms: quantile(eventMs, 0.5) ?? Number.NaN,
      idle_mib: idle.mib,
      idle_bytes_s: idle.bytesPerSecond,
      busy_bytes_s: busy.bytesPerSecond,
      sorted_core: sorted.core,
      sorted_bytes_s: sorted.bytesPerSecond,
      sorted_mib: sorted.mib,
    },
  };
}

/** What the program needs for a while. */
async function look(seen: Seen, pid: number): Promise<{ core: number; bytesPerSecond: number; mib: number }> {
  const [began, bytes, seconds] = [performance.now(), seen.bytes, processorSeconds(pid)];
  await delay(lookMs);
  const passed = (performance.now() - began) / 1000;
  return {
    core: (processorSeconds(pid) - seconds) / passed,
    bytesPerSecond: (seen.bytes - bytes) / passed,
    mib: residentMib(pid),
  };
}

function progress({ columns, rows }: TerminalSize, text: string): void {
  process.stderr.write(`${columns}x${rows}: ${text}\n`);
}

function report(found: readonly (readonly [TerminalSize, Found])[]): void {
  const worst = (bar: Bar) => Math.max(...found.flatMap(([, { bars }]) => bars[bar] ?? []));
  const bars = Object.fromEntries((Object.keys(limits) as Bar[]).map((bar) => [bar, worst(bar)]));
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}, Linux ${release()}`;
  const round = (value: number) => value.toFixed(value < 10 ? 3 : 0).padStart(10);
  const table = [
    `${machine}; ${hosts} hosts, ${total} instances, ${changes} changes a second`,
    "",
    `${"".padEnd(20)}${found.map(([{ columns, rows }]) => `${columns}x${rows}`.padStart(10)).join("")}   at most`,
    ...Object.entries(limits).map(([bar, limit]) => {
      const cells = found.map(([, each]) => round(each.bars[bar as Bar] ?? Number.NaN).replace("NaN", "  -"));
      const verdict = worst(bar as Bar) <= limit ? "met" : "missed";
      return `${bar.padEnd(20)}${cells.join("")}${`${limit}`.padStart(10)}  ${verdict}`;
    }),
    "",
    ...Object.keys(found[0]?.[1].more ?? {}).map(
      (name) => name.padEnd(20) + found.map(([, each]) => round(each.more[name] ?? Number.NaN)).join(""),
    ),
  ].join("\n");
  if (values.json !== true) {
    console.log(table);
    return;
  }
  process.stderr.write(`${table}\n`);
  const sizes = Object.fromEntries(found.map(([{ columns, rows }, each]) => [`${columns}x${rows}`, each]));
  console.log(JSON.stringify({ machine, hosts, instances: total, changes, sizes, bars }, undefined, 2));
}
