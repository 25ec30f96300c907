// What figures cost an agent while they are watched: npm run bench -- figures [--json] [--instances N] [--changing N] [--seconds N] [--metrics].
// With --metrics they are watched as a hub does it that serves them to Prometheus, and by nobody else; no bars are set for that.
// Control groups are files in a directory of the form that the kernel's have, which a thread of its own changes: what the kernel itself takes
// for telling its counters is not in it, nor is the connection's TLS. The collector, its sources, the file of history and the encoding are the agent's.
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Collector } from "../../agent/figures/collector.js";
import { History } from "../../agent/figures/history/history.js";
import { readOnce } from "../../agent/figures/kept-file.js";
import { Devices } from "../../agent/figures/sources/devices.js";
import { InstanceSource } from "../../agent/figures/sources/instances.js";
import { NetworkSource } from "../../agent/figures/sources/network.js";
import { watchFigures } from "../../agent/kinds/figures/watch-figures.js";
import { toDuration } from "../../lib/duration.js";
import { figuresOfMetrics, kindsOfMetrics } from "../../lib/metrics/figure-families.js";
import { Instance } from "../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../proto/gen/zor/v1/lan.js";
import { WatchFiguresRequest, WatchFiguresResponse } from "../../proto/gen/zor/v1/figures_service.js";

/** What goes round a message on the wire: gRPC, HTTP/2, TLS, TCP and IP. */
const aroundBytes = 120;
const limits = { agent_watch_core_fraction: 0.05, agent_watch_kbit_s: 200 };
const host = "hosts/bench";

interface Plan {
  readonly root: string;
  readonly instances: number;
  readonly changing: number;
  readonly isForMetrics: boolean;
}

if (isMainThread) await main();
else changeForever();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean" },
      instances: { type: "string", default: "1000" },
      changing: { type: "string", default: "100" },
      seconds: { type: "string", default: "20" },
      metrics: { type: "boolean", default: false },
    },
  });
  const [instances, changing, seconds] = [values.instances, values.changing, values.seconds].map(Number);
  if (!isCount(instances) || !isCount(changing) || !isCount(seconds) || changing > instances) {
    console.error("npm run bench -- figures [--json] [--instances N] [--changing N] [--seconds N] [--metrics]");
    process.exit(2);
  }
  const root = await mkdtemp(join(tmpdir(), "zt-figures-"));
  try {
    const result = await measure({ root, instances, changing, isForMetrics: values.metrics }, seconds);
    const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}, Linux ${release()}`;
    const bars = { agent_watch_core_fraction: result.fraction, agent_watch_kbit_s: result.kbits };
    const lines = Object.entries(limits).map(([name, limit]) => {
      const value = bars[name as keyof typeof bars];
      const text = `${name.padEnd(26)} ${value.toFixed(values.metrics ? 5 : 3).padStart(9)}`;
      if (values.metrics) return text;
      return `${text}, at most ${limit}: ${value <= limit ? "met" : "missed"}`;
    });
    const table = [
      `${machine}; ${instances} instances of which ${changing} change each second, ${seconds} s`,
      `${"samples".padEnd(26)} ${String(result.samples).padStart(9)}`,
      `${"first message, bytes".padEnd(26)} ${String(result.firstBytes).padStart(9)}`,
      ...lines,
    ].join("\n");
    if (values.json === true) {
      console.error(table);
      console.log(JSON.stringify({ machine, instances, changing, seconds, ...result, bars }, undefined, 2));
    } else console.log(table);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  process.exit(0);
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value >= 1;
}

async function measure(plan: Plan, seconds: number) {
  const { root, instances, isForMetrics } = plan;
  for (let id = 0; id < instances; id += 1) await mkdir(join(root, `g${id}`));
  const worker = new Worker(new URL(import.meta.url), { workerData: plan });
  await new Promise((resolve) => worker.once("message", resolve));
  const collector = new Collector((error) => console.error(error));
  const devices = new Devices(undefined);
  const { subjects } = collector;
  const source = new InstanceSource({
    subjects,
    devices,
    findHow: async (name) => {
      const path = `g${name.split("/m")[1] ?? ""}`;
      return { kind: "place", place: { kind: "group", version: "v2", root, path } };
    },
  });
  const table = join(root, "dev");
  const lan = Lan.fromPartial({
    name: `${host}/lans/lan1`,
    status: {
      ports: Array.from({ length: instances }, (_, id) => ({
        endpoint: `${host}/instances/m${id}/nics/eth0`,
        port: `zt${id}`,
      })),
    },
  });
  const network = new NetworkSource({ subjects, devices, lans: () => [lan], wires: () => [], pluggedEnds: () => [] });
  const read = { collect: () => devices.take(readOnce(table) ?? ""), close: () => undefined };
  collector.add(read, source, network);
  for (let id = 0; id < instances; id += 1) source.note(instanceOf(id));
  const history = await History.open({
    path: join(root, "history"),
    fileMib: 128,
    onNews: ({ message }) => console.error(message),
  });
  collector.listen((sample) => history.record(sample));
  const ending = new AbortController();
  const running = collector.run(ending.signal);
  const [figures, kinds] = [[...figuresOfMetrics], [...kindsOfMetrics]];
  const forMetrics = { figures, kinds, parts: true, interval: toDuration(10_000) };
  const request = WatchFiguresRequest.fromPartial(isForMetrics ? forMetrics : {});
  const stream = watchFigures(collector, request, { host: "bench", signal: ending.signal });
  let [firstBytes, bytes, samples] = [0, 0, 0];
  let begin: { readonly cpu: number; readonly ms: number } | undefined;
  // The first ones name everything, and are compiled meanwhile.
  let before = isForMetrics ? 1 : 5;
  const wanted = isForMetrics ? Math.ceil(seconds / 10) : seconds;
  for await (const response of stream) {
    const length = WatchFiguresResponse.encode(response).finish().length;
    firstBytes ||= length;
    if (before > 0) {
      before -= 1;
      if (before === 0) begin = { cpu: await ownCpuMs(worker), ms: performance.now() };
      continue;
    }
    bytes += length + aroundBytes;
    samples += 1;
    if (samples >= wanted) break;
  }
  const elapsedMs = performance.now() - (begin?.ms ?? 0);
  const cpuMs = (await ownCpuMs(worker)) - (begin?.cpu ?? 0);
  ending.abort();
  await running;
  await history.close();
  await worker.terminate();
  return { samples, firstBytes, fraction: cpuMs / elapsedMs, kbits: (bytes * 8) / elapsedMs };
}

/** Processor time of this process without that of the thread that changes the groups. */
async function ownCpuMs(worker: Worker): Promise<number> {
  const theirs = await new Promise<number>((resolve) => {
    worker.once("message", resolve);
    worker.postMessage("cpu");
  });
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 - theirs;
}

function instanceOf(id: number): Instance {
  return Instance.fromPartial({
    name: `${host}/instances/m${id}`,
    spec: { cpus: 1, memoryMib: 128n },
    status: { pid: BigInt(id + 1), startTime: new Date(0), nics: [{ name: "eth0", lan: "lan1", port: `zt${id}` }] },
  });
}

/** Changes what so many groups say, each second others; in this thread alone, whose time is told. */
function changeForever(): void {
  const { root, instances, changing } = workerData as Plan;
  const counts = new Array<number>(instances).fill(0);
  for (let id = 0; id < instances; id += 1) write(root, id, 0);
  writeDevices(root, counts);
  parentPort?.on("message", () => {
    const { user, system } = process.threadCpuUsage();
    parentPort?.postMessage((user + system) / 1000);
  });
  parentPort?.postMessage(0);
  let next = 0;
  setInterval(() => {
    for (let each = 0; each < changing; each += 1) {
      const id = next++ % instances;
      counts[id] = (counts[id] ?? 0) + 1;
      write(root, id, counts[id] ?? 0);
    }
    writeDevices(root, counts);
  }, 1000);
}

function write(root: string, id: number, count: number): void {
  const usage = count * (1000 + ((id * 7919) % 400_000));
  const file = (name: string, text: string): void => writeFileSync(join(root, `g${id}`, name), text);
  file("memory.current", `${2 ** 24 + count * 4096 * (id % 17)}\n`);
  file(
    "io.stat",
    `8:0 rbytes=${count * 4096} wbytes=${count * 65_536} rios=${count} wios=${count * 3} dbytes=0 dios=0\n`,
  );
  const share = ((count * 3 + id) % 100) / 10;
  for (const name of ["cpu", "memory", "io"]) {
    const line = `avg10=${share.toFixed(2)} avg60=0.00 avg300=0.00 total=${count}`;
    file(`${name}.pressure`, `some ${line}\nfull ${line}\n`);
  }
  // Last, as whoever reads it reads the rest.
  file("cpu.stat", `usage_usec ${usage}\nuser_usec ${usage}\nsystem_usec 0\nnr_periods 0\nnr_throttled 0\n`);
}

function writeDevices(root: string, counts: readonly number[]): void {
  const lines = counts.map((count, id) => {
    const [bytes, frames] = [count * 1500 * (1 + (id % 50)), count * (1 + (id % 50))];
    return `  zt${id}: ${bytes} ${frames}    0    0    0     0          0         0 ${bytes * 2} ${frames * 2}    0    0    0     0       0          0`;
  });
  writeFileSync(join(root, "dev"), `Inter-|\n face |\n${lines.join("\n")}\n`);
}
