import { join } from "node:path";
import { findIdentity, findProcesses, type ProcessIdentity } from "../../lib/process.js";
import { nodePath, programPath } from "../../lib/program.js";
import { type DemoLayout, type HostLayout, hubListeners } from "./layout.js";
import { startToStay } from "./tool.js";

/** A program of the demo: what to start, where, and what must be there first. */
export interface DemoProgram {
  /** "hub", "alpha", "beta" or "supervisor". */
  readonly id: string;
  /** Everything after the Node executable. Its first four arguments are unique on the machine: by them the running program is found. */
  readonly argv: readonly string[];
  /** Named net namespace to run in; undefined: the root one. */
  readonly namespace: string | undefined;
  readonly log: string;
  /** The program is started once this file exists. */
  readonly needs: string | undefined;
}

const repeat = (flag: string, values: readonly string[]): string[] => values.flatMap((value) => [flag, value]);

/** The hub, reachable from this machine over loopback and from each host over its own wire. */
export function hubProgram(layout: DemoLayout): DemoProgram {
  const wires = (loopback: string) => hubListeners(layout, loopback).slice(1);
  return {
    id: "hub",
    argv: [
      programPath("hub"),
      ...["hub", "run", "--state", layout.hubState],
      ...repeat("--listen", hubListeners(layout, layout.hubMain)),
      ...repeat("--join-listen", hubListeners(layout, layout.hubJoin)),
      ...repeat("--reverse-listen", wires(layout.hubReverse)),
      ...repeat("--relay-listen", wires(layout.hubRelay)),
      ...repeat("--advertise", hubListeners(layout, layout.hubMain)),
    ],
    namespace: undefined,
    log: join(layout.directory, "log", "hub.log"),
    needs: undefined,
  };
}

/** One host's agent, in the host's namespace. It starts once the host has joined. */
export function agentProgram(layout: DemoLayout, host: HostLayout): DemoProgram {
  return {
    id: host.id,
    argv: [
      programPath("agent"),
      ...["agent", "run", "--state", host.state, "--host", host.id],
      ...repeat("--listen", [host.agentAddress]),
      ...repeat("--underlay", [host.underlayAddress]),
      ...["--cable-listen", host.cableAddress, "--netns", host.switchNamespace],
    ],
    namespace: host.namespace,
    log: join(layout.directory, "log", `${host.id}.log`),
    needs: join(host.state, "identity", "cert.pem"),
  };
}

/** The demo's own supervisor. */
export function supervisorProgram(layout: DemoLayout): DemoProgram {
  return {
    id: "supervisor",
    argv: [programPath("deploy"), "demo", "supervise", "--name", layout.name],
    namespace: undefined,
    log: join(layout.directory, "log", "supervisor.log"),
    needs: undefined,
  };
}

/** The hub and the agents. */
export function supervisedPrograms(layout: DemoLayout): DemoProgram[] {
  return [hubProgram(layout), ...layout.hosts.map((host) => agentProgram(layout, host))];
}

/** Command line that runs Node in a namespace. nsenter changes the net namespace only: `ip netns exec` would hide the cgroups. */
export function commandIn(namespace: string | undefined, argv: readonly string[]): [string, string[]] {
  return namespace === undefined
    ? [nodePath, [...argv]]
    : ["nsenter", [`--net=/run/netns/${namespace}`, "--", nodePath, ...argv]];
}

/** Starts a program in a session of its own, with its output appended to its log. nsenter replaces itself: the pid is the program's. */
export async function startProgram(program: DemoProgram): Promise<ProcessIdentity | undefined> {
  const [command, argv] = commandIn(program.namespace, program.argv);
  const pid = startToStay(command, argv, program.log);
  return pid === undefined ? undefined : await findIdentity(pid);
}

/** Finds a running program by what identifies it on its command line, whoever started it. */
export async function findProgram(program: DemoProgram): Promise<ProcessIdentity | undefined> {
  const identifying = (argv: readonly string[]): string => argv.slice(0, 4).join("\0");
  const wanted = identifying(program.argv.slice(1));
  const [found] = await findProcesses((argv) => identifying(argv.slice(2)) === wanted);
  return found;
}
