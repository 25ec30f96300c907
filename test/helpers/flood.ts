import { join } from "node:path";
import type { Connection } from "../../lib/grpc/connection.js";
import { installationRoot, nodePath } from "../../lib/program.js";
import { HostServiceService, ListHostsRequest } from "../../proto/gen/zor/v1/host_service.js";
import type { FloodOptions, FloodResult } from "../fakes/flood.js";
import { spawnOwned } from "./owned.js";

/** Floods a listener from a process of its own; resolves to what came of it when the flood is over. */
export async function flood(options: FloodOptions): Promise<FloodResult> {
  const program = join(installationRoot, "test/fakes/flood.ts");
  const child = spawnOwned(nodePath, [program, JSON.stringify(options)], { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`the flood ended with ${code}`);
  // Printed by the program above.
  return JSON.parse(text) as FloodResult;
}

/** How long calls took, in ms. */
export interface Latency {
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
}

/** Lists hosts again and again, a call every few milliseconds, until `until` settles. */
export async function latencyUntil(connection: Connection, until: Promise<unknown>): Promise<Latency> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  until.then(end, end);
  return latencyWhile(connection, () => !over);
}

/** Lists hosts so many times, a call every few milliseconds. */
export function latencyOf(connection: Connection, calls: number): Promise<Latency> {
  return latencyWhile(connection, (made) => made < calls);
}

async function latencyWhile(connection: Connection, goesOn: (made: number) => boolean): Promise<Latency> {
  const times: number[] = [];
  while (goesOn(times.length)) {
    const began = performance.now();
    await connection.unary(HostServiceService.listHosts, ListHostsRequest.fromPartial({}), { timeoutMs: 60_000 });
    times.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return { calls: times.length, p50: at(0.5), p99: at(0.99) };
}
