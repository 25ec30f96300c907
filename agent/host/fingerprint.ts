import { readFile } from "node:fs/promises";
import { arch, cpus, machine, release } from "node:os";
import { version } from "../../lib/program.js";
import { buildOf } from "../../lib/program-version.js";
import type { Capability, Fingerprint } from "../../proto/gen/zor/v1/host.js";
import { probeKernel } from "./kernel-probe.js";
import { readLimits } from "./resources.js";
import { probeMicroImage, probeState, probeTools } from "./tool-probe.js";

/** Something besides the host itself that can be probed: a driver. Never throws. */
export type Probe = (options: { readonly signal: AbortSignal }) => Promise<readonly Capability[]>;

/** What the kernel and the programs of the host can do. */
export const probeHost: Probe = async ({ signal }) => {
  const [kernel, toolset] = await Promise.all([probeKernel(signal), probeTools(signal)]);
  return [...kernel, ...toolset];
};

/** What to probe. */
export interface FingerprintOptions {
  /** In the order in which the fingerprint tells of them. */
  readonly probes: readonly Probe[];
  readonly imageDirs: readonly string[];
  readonly stateDirectory: string;
  readonly signal: AbortSignal;
}

/** Probes the host: facts, and everything it can or cannot do, each missing thing with its reason and remedy. */
export async function takeFingerprint(options: FingerprintOptions): Promise<Fingerprint> {
  const { probes, imageDirs, stateDirectory, signal } = options;
  const [image, state, ...probed] = await Promise.all([
    probeMicroImage(imageDirs),
    probeState(stateDirectory),
    ...probes.map((probe) => probe({ signal })),
  ]);
  return {
    agentVersion: version,
    agentBuild: buildOf("agent"),
    apiVersions: ["zor.v1"],
    operatingSystem: await readOperatingSystem(),
    kernel: release(),
    architecture: machine() === "" ? arch() : machine(),
    cpuModel: cpus()[0]?.model.trim() ?? "",
    cpus: readLimits().cpus,
    memoryMib: BigInt(readLimits().memoryMib),
    capabilities: [...probed.flat(), image, state],
    probeTime: new Date(),
  };
}

async function readOperatingSystem(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? "Linux";
}
