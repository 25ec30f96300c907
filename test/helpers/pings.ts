import { run } from "../../agent/host/exec.js";

/** Which pings are sent, and from where. */
export interface Pings {
  /** Name of the net namespace they leave from. */
  readonly netns: string | undefined;
  readonly address: string;
  readonly count: number;
  /** Bytes of payload; 56 when undefined. Frames that are too large are not cut up. */
  readonly size?: number;
}

/**
 * Sends all pings at once, in order, and gives the last one a second at least. iputils' own way of spacing them is of no use to who
 * counts: once an answer has come, it waits for the last one no longer than twice the longest round trip or one interval.
 * @returns round trips in milliseconds by sequence number, from 1, of the pings that were answered.
 */
export async function pingAtOnce(pings: Pings): Promise<ReadonlyMap<number, number>> {
  const { count } = pings;
  return await answersOf(pings, ["-l", String(count), "-c", String(count), "-i", "1", "-W", "2"]);
}

/**
 * Sends a ping each `intervalMs` and goes on with more of them until as many were answered as were to be sent, or 30 s have passed
 * beyond them: the last ones may come late, but none may be lost.
 * @returns as {@link pingAtOnce}, of the first `count`.
 */
export async function pingEvery(intervalMs: number, pings: Pings): Promise<ReadonlyMap<number, number>> {
  const { count } = pings;
  const seconds = Math.ceil((count * intervalMs) / 1000) + 30;
  const answers = await answersOf(pings, ["-c", String(count), "-i", String(intervalMs / 1000), "-w", String(seconds)]);
  return new Map([...answers].filter(([sequence]) => sequence <= count));
}

async function answersOf({ netns, address, size }: Pings, options: readonly string[]) {
  // Whom nobody found before is not asked for anew for some seconds, and what waited for it meanwhile is lost.
  await run("ip", ["neighbour", "flush", "nud", "incomplete", "nud", "failed"], { netns });
  const sized = size === undefined ? [] : ["-M", "do", "-s", String(size)];
  const { stdout } = await run("ping", ["-n", ...options, ...sized, address], {
    netns,
    acceptedExitCodes: [0, 1],
    timeoutMs: 120_000,
  });
  const answers = stdout.matchAll(/icmp_seq=(\d+) ttl=\d+ time=([\d.]+) ms/g);
  return new Map([...answers].map((match) => [Number(match[1]), Number(match[2])]));
}
