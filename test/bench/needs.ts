// What each benchmark needs of the machine, and what of it is missing. run.mjs asks before anything is measured.
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** Root, or a program on PATH with the Debian package that has it. */
export type Need =
  | { readonly kind: "root" }
  | { readonly kind: "program"; readonly name: string; readonly package: string };

const root: Need = { kind: "root" };
const program = (name: string, debianPackage = name): Need => ({ kind: "program", name, package: debianPackage });

const traffic = [program("ip", "iproute2"), program("ping", "iputils-ping"), program("iperf3")];

/** By name of the benchmark. One that is not here is not started: a new one says what it needs, if only that it needs nothing. */
export const needs: Readonly<Record<string, readonly Need[]>> = {
  a2b: [root, ...traffic],
  c2c: [
    root,
    ...traffic,
    program("ethtool"),
    program("qemu-system-x86_64", "qemu-system-x86"),
    program("ovs-vswitchd", "openvswitch-switch"),
    program("wireguard-go"),
    program("wg", "wireguard-tools"),
  ],
  capture: [root, ...traffic, program("tcpdump"), program("crun"), program("ovs-vswitchd", "openvswitch-switch")],
  cli: [],
  deploy: [root, program("ip", "iproute2"), program("mmdebstrap"), program("ssh-keygen", "openssh-client")],
  "fleet-hub": [],
  frames: [],
  figures: [],
  hub: [],
  metrics: [],
  machines: [
    root,
    program("ip", "iproute2"),
    program("qemu-system-x86_64", "qemu-system-x86"),
    program("ovs-vswitchd", "openvswitch-switch"),
  ],
  tui: [],
  views: [],
};

/** What a machine is like, as far as benchmarks care. */
export interface Machine {
  readonly isRoot: boolean;
  readonly hasProgram: (name: string) => boolean;
}

/** The machine that this runs on. */
export const thisMachine: Machine = {
  isRoot: process.getuid?.() === 0,
  hasProgram: (name) =>
    [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"].some((directory) =>
      isThere(join(directory, name)),
    ),
};

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What is missing, in words for people, and whether set-up can install all of it. */
export interface Missing {
  readonly lines: readonly string[];
  /** Root cannot be installed. */
  readonly canInstall: boolean;
}

/** Undefined when nothing is missing. */
export function findMissing(wanted: readonly Need[], machine: Machine): Missing | undefined {
  const missing = wanted.filter((need) => !isMet(need, machine));
  if (missing.length === 0) return undefined;
  return { lines: missing.map(describe), canInstall: missing.every(({ kind }) => kind !== "root") };
}

/** What a benchmark needs, in a few words. */
export function summarize(wanted: readonly Need[]): string {
  const words = wanted.map((need) => (need.kind === "root" ? "root" : need.name));
  return words.length === 0 ? "nothing but this project" : words.join(", ");
}

function isMet(need: Need, machine: Machine): boolean {
  return need.kind === "root" ? machine.isRoot : machine.hasProgram(need.name);
}

function describe(need: Need): string {
  if (need.kind === "root") return "root: it makes net namespaces; run the same command as root, for example with sudo";
  return `${need.name} (Debian package ${need.package})`;
}
