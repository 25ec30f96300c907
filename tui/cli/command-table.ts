import type { CommandModule } from "./command.js";

/** A command of zor; its module is loaded only when it is needed, so that zor starts fast. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

const lifecycle = (): Promise<CommandModule> => import("./commands/lifecycle.js");
const labels = (): Promise<CommandModule> => import("./commands/label.js");
const copying = (): Promise<CommandModule> => import("./commands/copying.js");
const ssh = (): Promise<CommandModule> => import("./commands/ssh.js");
const plugging = (): Promise<CommandModule> => import("./commands/plugging.js");

/** All commands this program serves, in the order of the help. */
export const commandTable: readonly CommandEntry[] = [
  {
    name: "get",
    summary: "list resources of a kind: hosts, instances, links ...",
    load: () => import("./commands/get.js"),
  },
  {
    name: "query",
    summary: "find resources of all kinds by a query",
    load: () => import("./commands/query.js"),
  },
  { name: "describe", summary: "show all that is known of a resource", load: () => import("./commands/describe.js") },
  { name: "create", summary: "create a resource", load: () => import("./commands/create.js") },
  {
    name: "build",
    summary: "make a machine or container from a recipe, with its image",
    load: () => import("./commands/build.js"),
  },
  { name: "set", summary: "change what is said of a resource", load: () => import("./commands/set.js") },
  {
    name: "apply",
    summary: "make resources what files say: create, change, and prune",
    load: () => import("./commands/apply.js"),
  },
  { name: "diff", summary: "show what zor apply would change", load: () => import("./commands/diff.js") },
  {
    name: "wait",
    summary: "wait until resources are in a state, deleted, or as a filter says",
    load: () => import("./commands/wait.js"),
  },
  {
    name: "explain",
    summary: "what kinds and their fields are, and what they may be",
    load: () => import("./commands/explain.js"),
  },
  { name: "edit", summary: "change a resource in your editor", load: () => import("./commands/edit.js") },
  { name: "label", summary: "set labels of resources, or take them away", load: labels },
  { name: "annotate", summary: "set notes of resources, or take them away", load: labels },
  { name: "start", summary: "start stopped instances", load: lifecycle },
  { name: "stop", summary: "end instances at once, as if their power were cut", load: lifecycle },
  { name: "pause", summary: "stop the CPUs of instances", load: lifecycle },
  { name: "resume", summary: "continue paused instances", load: lifecycle },
  {
    name: "suspend",
    summary: "save the memory of machines to disk and end them",
    load: () => import("./commands/suspend.js"),
  },
  { name: "adopt", summary: "take over what was found on a host, such as domains of libvirt", load: lifecycle },
  { name: "reset", summary: "press the reset button of instances", load: lifecycle },
  {
    name: "shutdown",
    summary: "ask guests to shut down and wait for them",
    load: () => import("./commands/shutdown.js"),
  },
  {
    name: "backup",
    summary: "keep what machines hold outside of them, and make machines of it",
    load: () => import("./commands/backup.js"),
  },
  { name: "save", summary: "save what an instance holds as an image", load: copying },
  { name: "clone", summary: "make another instance that holds what one holds now", load: copying },
  {
    name: "snapshot",
    summary: "keep states of instances, and go back to them",
    load: () => import("./commands/snapshot.js"),
  },
  {
    name: "volume",
    summary: "give volumes to machines, take them away, grow and move them",
    load: () => import("./commands/volume.js"),
  },
  { name: "delete", summary: "delete resources", load: () => import("./commands/delete.js") },
  {
    name: "wave",
    summary: "do one thing to many resources, so many at a time",
    load: () => import("./commands/wave.js"),
  },
  { name: "cancel", summary: "cancel running operations", load: () => import("./commands/cancel.js") },
  {
    name: "confirm",
    summary: "say that a host is still reached: what would be given back stays",
    load: () => import("./commands/confirm.js"),
  },
  { name: "attach", summary: "plug an instance's NIC into a lan", load: plugging },
  { name: "detach", summary: "unplug an instance's NIC", load: plugging },
  { name: "cdrom", summary: "change what lies in a CD-ROM drive", load: () => import("./commands/cdrom.js") },
  { name: "send-key", summary: "type on the keyboard of a machine", load: () => import("./commands/send-key.js") },
  { name: "console", summary: "attach to an instance's serial console", load: () => import("./commands/console.js") },
  { name: "shell", summary: "open a shell on a host, where it allows that", load: () => import("./commands/shell.js") },
  {
    name: "session",
    summary: "who is at which console or shell; end that",
    load: () => import("./commands/session.js"),
  },
  {
    name: "logs",
    summary: "show what instances said, and the logs of agents and hub",
    load: () => import("./commands/logs.js"),
  },
  {
    name: "events",
    summary: "what happened, who did it and why; -f goes on",
    load: () => import("./commands/events.js"),
  },
  {
    name: "hooks",
    summary: "whom events are told to, and what could not be",
    load: () => import("./commands/hooks.js"),
  },
  { name: "exec", summary: "run a command inside an instance", load: () => import("./commands/exec.js") },
  { name: "cp", summary: "copy files into, out of and between instances", load: () => import("./commands/cp.js") },
  {
    name: "disk",
    summary: "look into the disks of instances, running or not, and change files on those that are off",
    load: () => import("./commands/disk.js"),
  },
  {
    name: "port-forward",
    summary: "listen here for servers inside an instance",
    load: () => import("./commands/port-forward.js"),
  },
  {
    name: "expose",
    summary: "lead a port of the hub's machine to a server inside an instance",
    load: () => import("./commands/expose.js"),
  },
  {
    name: "view",
    summary: "look at the screen of a machine, or take a picture of it",
    load: () => import("./commands/view.js"),
  },
  {
    name: "capture",
    summary: "show or keep the frames that pass NICs, lans, wires and links",
    load: () => import("./commands/capture.js"),
  },
  {
    name: "extcap",
    summary: "be what Wireshark lists interfaces and captures with",
    load: () => import("./commands/extcap.js"),
  },
  { name: "stats", summary: "what an instance uses, by its counters", load: () => import("./commands/stats.js") },
  {
    name: "map",
    summary: "draw what is connected with what: hosts, lans, instances, cables",
    load: () => import("./commands/map.js"),
  },
  { name: "top", summary: "what hosts, instances and links use now", load: () => import("./commands/top.js") },
  {
    name: "history",
    summary: "charts of what hosts, instances and links have used",
    load: () => import("./commands/history.js"),
  },
  {
    name: "ovs",
    summary: "run ovs-vsctl, ovs-ofctl or ovs-appctl at a host's switch",
    load: () => import("./commands/ovs.js"),
  },
  { name: "ssh", summary: "log in to an instance by ssh, without an address", load: ssh },
  { name: "ssh-config", summary: "print a configuration for plain ssh, scp, rsync and ansible", load: ssh },
  { name: "ssh-proxy", summary: "connect standard input and output with an ssh server inside", load: ssh },
  {
    name: "lan",
    summary: "show and change flows of a lan, show what its filters have met and the addresses its switch knows",
    load: () => import("./commands/lan.js"),
  },
  { name: "link", summary: "show or watch one link in full", load: () => import("./commands/link.js") },
  {
    name: "version",
    summary: "show the versions of zor, of the hub and of agents",
    load: () => import("./commands/version.js"),
  },
  {
    name: "doctor",
    summary: "what this machine can do, and why not the rest; link: what is wrong with a link",
    load: () => import("./commands/doctor.js"),
  },
  {
    name: "image",
    summary: "bring images to hosts, copy, build, check and remove them",
    load: () => import("./commands/image.js"),
  },
  {
    name: "hub",
    summary: "run a hub, which aggregates agents; install: put one on a machine",
    load: () => import("./install/hub-commands.js"),
  },
  {
    name: "host",
    summary: "install, register, list, upgrade and remove hosts",
    load: () => import("./commands/host.js"),
  },
  { name: "token", summary: "issue join tokens, revoke identities", load: () => import("./commands/token.js") },
  { name: "join", summary: "turn a token into an identity and a context", load: () => import("./commands/join.js") },
  { name: "context", summary: "choose which hub or agent to talk to", load: () => import("./commands/context.js") },
  {
    name: "inventory",
    summary: "be the inventory of Ansible, which then reaches every instance",
    load: () => import("./commands/inventory.js"),
  },
  { name: "mcp", summary: "let an assistant look at the fleet (MCP)", load: () => import("./commands/mcp.js") },
  { name: "alias", summary: "words of your own for commands", load: () => import("./commands/alias.js") },
  { name: "api", summary: "call any method of the API by reflection", load: () => import("./commands/api.js") },
  {
    name: "completion",
    summary: "print a completion script for a shell",
    load: () => import("./commands/completion.js"),
  },
];

/** Programs the launcher runs instead of this one; listed here so that one help shows everything. */
export const otherPrograms: readonly (readonly [name: string, summary: string])[] = [
  ["tui", "the terminal interface: the whole fleet, live"],
  ["agent", "run or join an agent, which owns a host"],
  ["demo", "a fleet of two hosts on this machine: up, status, down"],
];
