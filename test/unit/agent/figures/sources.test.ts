import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { pressureOf } from "../../../../agent/figures/kept-file.js";
import { Devices } from "../../../../agent/figures/sources/devices.js";
import { HostSource } from "../../../../agent/figures/sources/host.js";
import { createMeter, figuresOf, parseBlkio, parseIoStat } from "../../../../agent/figures/sources/meter.js";
import { Subjects, type Subject } from "../../../../agent/figures/subject.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";

const clock = { number: 1, elapsedMs: 1000 };

async function tree(files: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(tmpdir(), "zor-figures-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const write = async (more: Readonly<Record<string, string>>): Promise<void> => {
    for (const [path, text] of Object.entries(more)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
  };
  await write(files);
  return { root, write };
}

function values(subject: Subject | undefined): Readonly<Record<string, number>> {
  const pairs = (subject?.figures ?? []).map((figure, index) => [Figure[figure], subject?.values[index] ?? 0]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== 0));
}

test("a control group of version 2 is read, and only its processor time while that is the same", async () => {
  const { root, write } = await tree({
    "g/cpu.stat": "usage_usec 1000000\nuser_usec 1\n",
    "g/memory.current": "4096\n",
    "g/io.stat": "8:0 rbytes=100 wbytes=200 rios=3 wios=4 dbytes=0 dios=0\n",
    "g/cpu.pressure": "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\n",
  });
  const place = { kind: "group", version: "v2", root, path: "g" } as const;
  using meter = createMeter(place);
  const subject = new Subjects(clock).add("hosts/a/instances/i", "", figuresOf(place));
  expect(meter.read(subject, false)).toBe(true);
  await write({ "g/cpu.stat": "usage_usec 1250000\nuser_usec 1\n", "g/memory.current": "8192\n" });
  expect(meter.read(subject, false)).toBe(true);
  expect(values(subject)).toMatchObject({
    ...{ FIGURE_CPU: 250, FIGURE_CPU_TIME: 1250, FIGURE_MEMORY: 8192, FIGURE_PRESSURE_CPU: 15 },
    ...{ FIGURE_DISK_READ_TOTAL: 100, FIGURE_DISK_WRITE_OPS_TOTAL: 4 },
  });
  await write({ "g/memory.current": "1\n" });
  expect(meter.read(subject, false)).toBe(false);
  expect(values(subject)).toMatchObject({ FIGURE_CPU_TIME: 1250, FIGURE_MEMORY: 8192 });
  expect(values(subject)["FIGURE_CPU"]).toBeUndefined();
  expect(meter.read(subject, true)).toBe(true);
  expect(values(subject)).toMatchObject({ FIGURE_MEMORY: 1 });
});

test("control groups of version 1 are read from the directory of each controller, without pressure", async () => {
  const { root } = await tree({
    "cpuacct/g/cpuacct.usage": "2500000000\n",
    "memory/g/memory.usage_in_bytes": "4096\n",
    "blkio/g/blkio.throttle.io_service_bytes": "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n",
    "blkio/g/blkio.throttle.io_serviced": "8:0 Read 1\n8:0 Write 2\n",
  });
  const place = { kind: "group", version: "v1", root, path: "g" } as const;
  using meter = createMeter(place);
  const subject = new Subjects(clock).add("hosts/a/instances/i", "", figuresOf(place));
  meter.read(subject, false);
  expect(values(subject)).toEqual({
    ...{ FIGURE_CPU_TIME: 2500, FIGURE_MEMORY: 4096, FIGURE_DISK_READ_TOTAL: 10, FIGURE_DISK_WRITE_TOTAL: 20 },
    ...{ FIGURE_DISK_READ_OPS_TOTAL: 1, FIGURE_DISK_WRITE_OPS_TOTAL: 2 },
  });
  expect(figuresOf(place)).not.toContain(Figure.FIGURE_PRESSURE_CPU);
});

test("this process is measured as a machine is", () => {
  const place = { kind: "process", pid: process.pid } as const;
  using meter = createMeter(place);
  const subject = new Subjects(clock).add("hosts/a/instances/i", "", figuresOf(place));
  meter.read(subject, true);
  expect(values(subject)["FIGURE_MEMORY"]).toBeGreaterThan(10 * 2 ** 20);
});

test("a guest says how much memory is left to it, or that is not known", async () => {
  const answers = [5000, undefined, 0];
  const told = [];
  for (const answer of answers) {
    let asked = 0;
    const readGuestAvailable = async (): Promise<number | undefined> => {
      asked += 1;
      return answer;
    };
    const place = { kind: "process", pid: process.pid, readGuestAvailable } as const;
    using meter = createMeter(place);
    const subject = new Subjects(clock).add("hosts/a/instances/i", "", figuresOf(place));
    meter.read(subject, true);
    await Promise.resolve();
    meter.read(subject, true);
    told.push([asked, values(subject)["FIGURE_MEMORY_GUEST_AVAILABLE"] ?? 0]);
  }
  expect(told).toEqual([
    [1, 5000],
    [1, 0],
    [1, 1],
  ]);
});

test("what goes through a loop device is not counted twice", () => {
  const use = { readBytes: 10, writeBytes: 20, readOps: 1, writeOps: 2 };
  expect(parseIoStat("8:0 rbytes=10 wbytes=5 rios=1 wios=1\n7:1 rbytes=3 wbytes=20 rios=1 wios=2\n")).toEqual(use);
  expect(parseBlkio("8:0 Read 10\n7:1 Write 20\nTotal 30\n", "8:0 Read 1\n7:1 Write 2\n")).toEqual(use);
});

test("devices are counted, and what is behind them is named as the table names it", () => {
  const devices = new Devices(undefined);
  devices.take("Inter-|\n face |bytes\n  zt1: 10 1 2 3 0 0 0 0 20 2 4 5 0 0 0 0\n    lo: 1 1\n");
  const counters = { inBytes: 10, inFrames: 1, outBytes: 20, outFrames: 2, drops: 8, errors: 6 };
  expect(devices.find("zt1")).toEqual(counters);
  expect(devices.find("zt2")).toBeUndefined();
  devices.take("");
  expect(devices.find("zt1")).toBeUndefined();
});

test("pressure is told in thousandths", () => {
  const text =
    "some avg10=12.34 avg60=0.00 avg300=0.00 total=2500999\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n";
  expect(pressureOf(text)).toEqual({ share: 123.4, totalMs: 2500 });
  expect(pressureOf(undefined)).toBeUndefined();
});

test("a host is read: processors by mode, memory, disks and sensors, whatever of it is there", async () => {
  const disk = (sectors: number) => `8 0 sda 5 0 ${sectors} 1 6 0 20 1 0 100 1\n8 1 sda1 5 0 10 1 6 0 20 1 0 0 1\n`;
  const { root, write } = await tree({
    "proc/stat": "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1\ncpu1 1\nintr 1\n",
    "proc/loadavg": "1.25 0.50 0.10 1/100 1\n",
    "proc/meminfo":
      "MemTotal:       1000 kB\nMemFree:  10 kB\nMemAvailable:    400 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    "proc/diskstats": disk(10),
    "sys/block/sda/size": "1",
    "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone0/temp": "47000\n",
  });
  const subjects = new Subjects(clock);
  const source = new HostSource(subjects, "a", { proc: join(root, "proc"), sys: join(root, "sys") });
  source.collect();
  await write({
    "proc/stat": "cpu  150 0 120 830 0 0 0 0 0 0\ncpu0 1\ncpu1 1\nintr 1\n",
    "proc/diskstats": disk(12),
  });
  source.collect();
  source.close();
  const told = Object.fromEntries([...subjects.all].map((subject) => [subject.part, values(subject)]));
  expect(told).toMatchObject({
    "": {
      ...{ FIGURE_CPU: 1400, FIGURE_CPU_OF_LIMIT: 700, FIGURE_CPU_USER: 1000, FIGURE_CPU_SYSTEM: 400 },
      ...{ FIGURE_LOAD: 125, FIGURE_MEMORY: 600 * 1024, FIGURE_MEMORY_AVAILABLE: 400 * 1024 },
    },
    "disk:sda": { FIGURE_DISK_READ: 1024 },
    "sensor:x86_pkg_temp": { FIGURE_TEMPERATURE: 47_000 },
  });
  expect(Object.keys(told)).toHaveLength(3);
});
