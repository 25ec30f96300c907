import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { run } from "../../../agent/host/exec.js";
import { nodePath } from "../../../lib/program.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { address, type BoxRig } from "../../integration/a2b/box-rig.js";

/** Pings sent and lost. */
export interface PingCount {
  readonly sent: number;
  readonly lost: number;
}

/** Sends pings from a to b and counts those that do not come back. Nothing is lost on the way back. */
export async function countLost(rig: BoxRig, count: number): Promise<PingCount> {
  const argv = ["-q", "-n", "-c", String(count), "-i", "0.001", "-W", "2", address.b];
  const timeoutMs = 60_000 + count * 5;
  const { stdout } = await run("ping", argv, { netns: rig.a.name, acceptedExitCodes: [0, 1], timeoutMs });
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
  return { sent: Number(sent), lost: Number(sent) - Number(received) };
}

/** Sends so many UDP frames a second from a to b, where nobody listens, until it is stopped. Resolves to the way to stop it. */
export async function startFlood(
  rig: BoxRig,
  options: { readonly frameBytes: number; readonly framesPerSecond: number },
): Promise<() => Promise<void>> {
  const payload = options.frameBytes - 42;
  const script = `
    const socket = require("dgram").createSocket("udp4");
    const payload = Buffer.alloc(${payload});
    socket.on("error", () => undefined);
    socket.bind(() => {
      socket.connect(9, "${address.b}", () => {
        const began = performance.now();
        let sent = 0;
        const turn = () => {
          const due = Math.min(((performance.now() - began) / 1000) * ${options.framesPerSecond}, sent + 512);
          for (; sent < due; sent += 1) socket.send(payload);
          setTimeout(turn, 1);
        };
        turn();
      });
    });`;
  const child = spawnOwned("ip", ["netns", "exec", rig.a.name, nodePath, "-e", script], { stdio: "ignore" });
  return async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };
}

/** What the kernel at side b has been given: bytes of whole frames. */
async function receivedBytes(rig: BoxRig): Promise<number> {
  const { stdout } = await run("cat", [`/sys/class/net/${rig.view().sides[1].port}/statistics/rx_bytes`], {
    netns: rig.b.name,
  });
  return Number(stdout);
}

/** Bits per second of whole frames that arrive at side b, by the kernel's own count, while more than that is sent. */
export async function measureFloodRate(
  rig: BoxRig,
  options: {
    readonly frameBytes: number;
    readonly framesPerSecond: number;
    /** Of the time before the measurement, in which what may pass at once passes. */
    readonly warmUpMs: number;
    readonly seconds: number;
  },
): Promise<number> {
  const stop = await startFlood(rig, options);
  try {
    const idle = await receivedBytes(rig);
    await eventually(async () => {
      if ((await receivedBytes(rig)) === idle) throw new Error("nothing arrives");
    });
    await delay(options.warmUpMs);
    const [beganBytes, beganMs] = [await receivedBytes(rig), performance.now()];
    await delay(options.seconds * 1_000);
    const [endBytes, endMs] = [await receivedBytes(rig), performance.now()];
    return ((endBytes - beganBytes) * 8_000) / (endMs - beganMs);
  } finally {
    await stop();
  }
}

/** Bits per second of whole frames of TCP streams from a to b, from what the receiver got. */
export async function measureTcpRate(
  rig: BoxRig,
  { seconds, streams }: { readonly seconds: number; readonly streams: number },
): Promise<number> {
  const server = spawnOwned("ip", ["netns", "exec", rig.b.name, "iperf3", "-s", "-1"], { stdio: "ignore" });
  const exited = once(server, "exit");
  try {
    return await eventually(async () => {
      const argv = ["-c", address.b, "-J", "-t", String(seconds), "-O", "2", "-P", String(streams)];
      const { stdout } = await run("iperf3", argv, { netns: rig.a.name, timeoutMs: 60_000 });
      const report: unknown = JSON.parse(stdout);
      const { end, error } = report as { end: { sum_received?: { bits_per_second: number } }; error?: string };
      // It says so in its output alone when the server does not listen yet.
      if (end.sum_received === undefined) throw new Error(`iperf3: ${error}`);
      // 1448 bytes of data in a frame of 1514: ethernet, IPv4 and TCP with timestamps.
      return end.sum_received.bits_per_second * (1_514 / 1_448);
    });
  } finally {
    server.kill("SIGKILL");
    await exited;
  }
}

/** Resident memory of the engine in MiB. */
export async function engineMib(rig: BoxRig): Promise<number> {
  const text = await readFile(`/proc/${rig.enginePid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024;
}
