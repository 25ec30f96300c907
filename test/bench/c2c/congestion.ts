import { readFile } from "node:fs/promises";
import { run } from "../../../agent/host/exec.js";
import type { BenchPath } from "./path.js";

const name = "net.ipv4.tcp_congestion_control";

/**
 * Chooses the congestion control of TCP streams between a path's stations, before they begin: iperf3's own option comes after its socket
 * is made, and one that was made with BBR stays paced. Namespaces other than the first take only what the administrator has allowed for
 * everybody: always reno, and the host's default.
 */
export async function chooseCongestion({ a, b }: BenchPath, algorithm: string): Promise<void> {
  for (const { netns } of [a, b]) await run("sysctl", ["-qw", `${name}=${algorithm}`], { netns });
}

/** What new namespaces use. */
export async function usualCongestion(): Promise<string> {
  return (await readFile(`/proc/sys/${name.replaceAll(".", "/")}`, "ascii")).trim();
}
