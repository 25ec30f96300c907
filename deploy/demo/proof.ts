import { setTimeout as delay } from "node:timers/promises";
import type { Connection } from "../../lib/grpc/connection.js";
import { type ExecRequest, ExecServiceService, ExecStart } from "../../proto/gen/zor/v1/exec_service.js";
import { type Guest, guests } from "./fleet.js";

/** Pings of one measurement. */
const pingCount = 5;
/** How long a pair may take until all its pings come back: the first may wait for switches and caches to learn. */
const patienceMs = 30_000;

/** What ping said. */
export interface PingResult {
  readonly sent: number;
  readonly received: number;
  /** Round trips in milliseconds; undefined when nothing came back. */
  readonly rttMs: { readonly min: number; readonly average: number; readonly max: number } | undefined;
}

/** One proven pair. */
export interface Proof {
  readonly from: Guest;
  readonly to: Guest;
  readonly result: PingResult;
}

/** Reads the summary of busybox's or iputils' ping; nothing sent when there is none. */
export function parsePing(output: string): PingResult {
  const counts = /(\d+) packets transmitted, (\d+) (?:packets )?received/.exec(output);
  const times = /= ([\d.]+)\/([\d.]+)\/([\d.]+)/.exec(output);
  return {
    sent: Number(counts?.[1] ?? 0),
    received: Number(counts?.[2] ?? 0),
    rttMs: times === null ? undefined : { min: Number(times[1]), average: Number(times[2]), max: Number(times[3]) },
  };
}

/** Every pair of guests on different hosts, each in one direction: pings cross the link both ways anyhow. */
export function pairsToProve(): readonly (readonly [from: Guest, to: Guest])[] {
  const [first] = guests;
  return guests
    .filter((from) => from.host === first?.host)
    .flatMap((from) => guests.filter((to) => to.host !== from.host).map((to) => [from, to] as const));
}

/**
 * Pings from guest to guest across the link, all pairs at once, through the exec service.
 * @throws {Error} naming the pairs of which not every ping came back.
 */
export async function prove(hub: Connection, signal: AbortSignal): Promise<readonly Proof[]> {
  const proofs = await Promise.all(
    pairsToProve().map(async ([from, to]) => ({ from, to, result: await pingPatiently(hub, from, to, signal) })),
  );
  const failed = proofs.filter(({ result }) => !isComplete(result));
  if (failed.length === 0) return proofs;
  const lines = failed.map(
    ({ from, to, result }) => `${from.name} -> ${to.name}: ${result.received} of ${result.sent}`,
  );
  throw new Error(`not every ping across the link came back: ${lines.join("; ")}`);
}

/** One line of the printed proof. */
export function formatProof({ from, to, result }: Proof): string {
  const pair = `${from.host}/${from.id} -> ${to.host}/${to.id}`.padEnd(26);
  const kinds = `${from.kind} to ${to.kind}`.padEnd(23);
  const percent = result.sent === 0 ? 0 : Math.round((100 * result.received) / result.sent);
  const { min, average, max } = result.rttMs ?? { min: 0, average: 0, max: 0 };
  const rtt = `rtt min/avg/max ${min.toFixed(2)}/${average.toFixed(2)}/${max.toFixed(2)} ms`;
  return `${pair} ${kinds} ${result.received}/${result.sent} received (${percent} %), ${rtt}`;
}

const isComplete = ({ sent, received }: PingResult): boolean => sent > 0 && received === sent;

async function pingPatiently(hub: Connection, from: Guest, to: Guest, signal: AbortSignal): Promise<PingResult> {
  const deadline = performance.now() + patienceMs;
  const command = ["ping", "-c", String(pingCount), "-i", "0.2", "-w", "10", to.address];
  for (;;) {
    const result = parsePing(await execInGuest(hub, from.name, command, signal));
    if (isComplete(result) || performance.now() >= deadline) return result;
    await delay(500, undefined, { signal });
  }
}

/** Runs a command in a guest and gives its standard output, whatever its exit code. */
async function execInGuest(
  hub: Connection,
  name: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const start = ExecStart.fromPartial({ name, command: [...command] });
  async function* requests(): AsyncIterable<ExecRequest> {
    yield { message: { $case: "start", value: start } };
  }
  const output: Uint8Array[] = [];
  for await (const { message } of hub.bidi(ExecServiceService.exec, requests(), { signal, timeoutMs: 60_000 })) {
    if (message?.$case === "stdout") output.push(message.value);
  }
  return Buffer.concat(output).toString("utf8");
}
