// What a capture loses and costs on a wire within a host: npm run bench -- capture [--json] [--seconds 10] [--rounds 3]. Needs root.
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openCaptureFile, removeCaptureFile } from "../../tui/client/captures/capture-file.js";
import { type CaptureResult, runCapture } from "../../tui/client/captures/run-capture.js";
import { eventually } from "../helpers/eventually.js";
import { CaptureRig } from "./capture/rig.js";
import { type Sent, sendFrames, sendVerb } from "./capture/sender.js";
import { median } from "./c2c/statistics.js";

const [verb, device = "", mac = "", rate = "", time = ""] = process.argv.slice(2);
if (verb === sendVerb) {
  sendFrames(device, mac, Number(rate), Number(time));
  process.exit(0);
}
const { values } = parseArgs({
  options: { json: { type: "boolean" }, seconds: { type: "string" }, rounds: { type: "string" } },
});
const [seconds, rounds] = [Number(values.seconds ?? 10), Number(values.rounds ?? 3)];
if (!(seconds > 0) || !(rounds >= 1)) {
  console.error("--seconds and --rounds are positive numbers");
  process.exit(2);
}

/** Bytes kept of each frame, and frames of 64 bytes in a second. */
const [snapBytes, framesPerSecond] = [128, 100_000];
const limits = { capture_100k_lost_fraction: 0, capture_slowdown_fraction: 0.1 } as const;
/** A machine that cannot send so much of what was asked for cannot tell. */
const leastSent = 0.95;

interface LossRound {
  readonly sent: number;
  readonly sentPerSecond: number;
  readonly captured: number;
  readonly dropped: number;
  readonly unread: number;
}

interface SpeedRound {
  readonly bareGbps: number;
  readonly capturedGbps: number;
  readonly dropped: number;
}

const note = (text: string): void => void process.stderr.write(`${text}\n`);
const directory = await mkdtemp(join(tmpdir(), "zt-bench-capture-"));
const loss: LossRound[] = [];
const speed: SpeedRound[] = [];
try {
  await using rig = await CaptureRig.start();
  for (let round = 1; round <= rounds; round += 1) {
    loss.push(await measureLoss(rig));
    const last = loss.at(-1);
    note(`round ${round}: ${last?.captured} of ${last?.sent} frames, ${Math.round(last?.sentPerSecond ?? 0)} a second`);
    speed.push(await measureSpeed(rig));
    note(`round ${round}: ${speed.at(-1)?.bareGbps.toFixed(2)} and ${speed.at(-1)?.capturedGbps.toFixed(2)} Gbit/s`);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
const bars = computeBars();
const isGood = Object.entries(limits).every(([name, limit]) => (bars[name as keyof typeof limits] ?? 1) <= limit);
if (values.json === true) {
  const machine = { cores: availableParallelism(), model: cpus()[0]?.model ?? "", kernel: release() };
  console.log(JSON.stringify({ good: isGood, machine, bars, loss, speed }, undefined, 2));
} else print();
process.exit(isGood ? 0 : 1);

/** What of frames that pass at that rate is not in the file. */
async function measureLoss(rig: CaptureRig): Promise<LossRound> {
  const program = process.argv[1] ?? "";
  const argv = [process.execPath, program, sendVerb, "eth1", "02:00:00:00:00:02", `${framesPerSecond}`, `${seconds}`];
  // Of the addresses that the frames are from and to nobody else sends.
  const { value, result } = await captured(rig, "udp and src host 198.51.100.1", () => rig.run(0, argv));
  const { frames: sent, seconds: took } = JSON.parse(value) as Sent;
  const { packets, dropped, unread } = result;
  return { sent, sentPerSecond: sent / took, captured: packets, dropped, unread };
}

/** One TCP stream, without and with a capture beside it. */
async function measureSpeed(rig: CaptureRig): Promise<SpeedRound> {
  const bareGbps = await stream(rig);
  const { value: capturedGbps, result } = await captured(rig, "", () => stream(rig));
  return { bareGbps, capturedGbps, dropped: result.dropped };
}

async function stream(rig: CaptureRig): Promise<number> {
  const server = rig.run(1, ["iperf3", "-s", "-1", "-B", "10.61.9.2"]);
  server.catch(() => undefined);
  await eventually(async () => {
    if (!(await rig.run(1, ["ss", "-ltn"])).includes(":5201 ")) throw new Error("iperf3 does not listen");
  });
  const text = await rig.run(0, ["iperf3", "-c", "10.61.9.2", "-J", "-t", `${Math.max(2, seconds / 2)}`]);
  await server;
  // What iperf3 prints.
  const { end } = JSON.parse(text) as {
    readonly end: { readonly sum_received: { readonly bits_per_second: number } };
  };
  return end.sum_received.bits_per_second / 1e9;
}

/** Does something while the wire is captured into a file. */
async function captured<T>(
  rig: CaptureRig,
  filter: string,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly result: CaptureResult }> {
  const ending = new AbortController();
  const path = join(directory, "frames.pcapng");
  const begun = Promise.withResolvers<void>();
  const request = { targets: [rig.wire], filter, snapBytes };
  const capture = runCapture({
    hosts: [{ host: rig.host, connection: rig.connection, request }],
    output: { open: () => openCaptureFile(path), remove: () => removeCaptureFile(path), ring: undefined },
    ...{ comment: "", filter, snapBytes, maxPackets: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY },
    stop: ending.signal,
    onNotice: note,
    onInterface: () => begun.resolve(),
  });
  capture.catch(begun.reject);
  await begun.promise;
  try {
    const value = await work();
    ending.abort();
    return { value, result: await capture };
  } finally {
    ending.abort();
    await rm(path, { force: true });
  }
}

function computeBars(): Readonly<Record<keyof typeof limits, number | null>> {
  const good = loss.filter(({ sentPerSecond }) => sentPerSecond >= framesPerSecond * leastSent);
  const [sent, kept] = [sum(good.map((each) => each.sent)), sum(good.map((each) => each.captured))];
  const slowdown = median(speed.map(({ bareGbps, capturedGbps }) => 1 - capturedGbps / bareGbps));
  return {
    capture_100k_lost_fraction: sent === 0 ? null : 1 - kept / sent,
    capture_slowdown_fraction: slowdown ?? null,
  };
}

function print(): void {
  console.log(
    `\n${availableParallelism()} x ${cpus()[0]?.model ?? ""}, Linux ${release()}; a wire within a host, snap length ${snapBytes}\n`,
  );
  console.log("round  sent/s   frames    captured  dropped  unread  bare Gbit/s  captured Gbit/s");
  for (const [index, each] of loss.entries()) {
    const { bareGbps = 0, capturedGbps = 0 } = speed[index] ?? {};
    const cells = [Math.round(each.sentPerSecond), each.sent, each.captured, each.dropped, each.unread];
    const widths = [9, 9, 10, 7, 7];
    const row = cells.map((cell, at) => `${cell}`.padEnd(widths[at] ?? 0)).join("");
    console.log(`${`${index + 1}`.padEnd(7)}${row} ${bareGbps.toFixed(2).padEnd(13)}${capturedGbps.toFixed(2)}`);
  }
  console.log("");
  for (const [name, limit] of Object.entries(limits)) {
    const value = bars[name as keyof typeof limits];
    const text =
      value === null ? `not measured: this machine cannot send ${framesPerSecond} frames a second` : value.toFixed(6);
    console.log(
      `${name.padEnd(30)} ${text} (at most ${limit}) ${value !== null && value <= limit ? "good" : "NOT GOOD"}`,
    );
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
