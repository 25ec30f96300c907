import { createHash } from "node:crypto";
import { type FSWatcher, watch, writeFileSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { unavailable } from "../../../lib/errors.js";
import { exists, readIfExists, writeFileAtomic } from "../../../lib/files.js";
import { findDevice } from "../../../lib/net/device.js";
import { visitNetns } from "../../../lib/net/visit-netns.js";
import { toNatDirectory, toNatNetns } from "../names.js";
import { ensureNetns, isNetnsOf, removeNetns } from "../netns.js";
import { RulesKeeper } from "../rules-keeper.js";
import { dhcpHostsFile, dnsmasqConfig, hostsFile } from "./dnsmasq-files.js";
import type { HostAddresses } from "./host-addresses.js";
import { KeptDaemon } from "./kept-daemon.js";
import { LeaseGuard } from "./lease-guard.js";
import { type Lease, parseLeases, withoutLeases } from "./leases.js";
import { insideDevice, type NatConfig, type NatHosts, outsideDevice } from "./nat-config.js";
import type { NatDevices } from "./nat-devices.js";
import { natRules, numberForwards, table } from "./rules.js";
import { setForwards, slirpArguments, slirpMark } from "./slirp.js";

/** What a nat works with. */
export interface NatParts {
  /** Net namespace of the switch. */
  readonly netns: string;
  readonly agentUid: string;
  readonly devices: NatDevices;
  readonly addresses: HostAddresses;
  /** Leases changed. */
  readonly onLeases: () => void;
  /** One of its programs ended. */
  readonly onExit: () => void;
}

const startMs = 15_000;
const pollMs = 20;
/** Leases change in bursts. */
const leaseMs = 250;
/** Connections of all guests together, one file each. */
const maxConnections = 4096;
/** The range of groups in which nobody is. */
const nobodyPings = "1\t0";

/** One nat on the host: a namespace, devices, rules and two programs, all of which outlive the agent. Calls come one at a time. */
export class Nat {
  readonly #parts: NatParts;
  readonly #netns: string;
  readonly #directory: string;
  readonly #slirp: KeptDaemon;
  readonly #dnsmasq: KeptDaemon;
  readonly #rules: RulesKeeper;
  readonly #leaseGuard = new LeaseGuard();
  #config: NatConfig;
  #inode = 0;
  #watcher: FSWatcher | undefined;
  #leaseTimer: NodeJS.Timeout | undefined;
  /** Why it does not work, for people; "": it does. */
  fault = "it is being made";
  leases: readonly Lease[] = [];
  /** What guests cannot do, for people. */
  note = "";

  constructor(config: NatConfig, parts: NatParts) {
    this.#config = config;
    this.#parts = parts;
    this.#netns = toNatNetns(parts.netns, config.uid);
    this.#directory = toNatDirectory(config.uid);
    this.#slirp = new KeptDaemon(this.#directory, "slirp4netns", parts.onExit);
    this.#dnsmasq = new KeptDaemon(this.#directory, "dnsmasq", parts.onExit);
    this.#rules = new RulesKeeper(this.#netns, table);
  }

  get config(): NatConfig {
    return this.#config;
  }

  /** Makes all of it, or brings it to the configuration; what is as it should be is left alone, and traffic with it. */
  async bring(config: NatConfig): Promise<void> {
    this.#config = config;
    try {
      await this.#bring(config);
      this.fault = "";
    } catch (error) {
      this.fault = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  /** What of it is missing, for people; a program that somebody stopped goes on. Costs a few system calls. */
  async missing(): Promise<readonly string[]> {
    const { netns, devices } = this.#parts;
    if (findDevice(this.#netns, insideDevice) === undefined) return ["its net namespace or its interface is gone"];
    const [slirp, dnsmasq, spoilt, slirpWent, dnsmasqWent] = await Promise.all([
      this.#slirp.isRunning(),
      this.#dnsmasq.isRunning(),
      this.#rules.areSpoilt(),
      this.#slirp.goOn(),
      this.#dnsmasq.goOn(),
    ]);
    const isOut = slirp && findDevice(this.#netns, outsideDevice) !== undefined;
    const isPlugged =
      devices.isPlugged(this.#config) && findDevice(netns, devices.portOf(this.#config.uid)) !== undefined;
    return [
      ...(isPlugged ? [] : ["its port in the lan is gone"]),
      ...(isOut ? [] : ["slirp4netns ended"]),
      ...(dnsmasq ? [] : ["dnsmasq ended"]),
      ...(slirpWent ? ["slirp4netns was stopped"] : []),
      ...(dnsmasqWent ? ["dnsmasq was stopped"] : []),
      ...(spoilt ? ["its rules were changed"] : []),
    ];
  }

  /** Keeps guests from what is the host's now. */
  async deny(): Promise<void> {
    await this.#rules.set(natRules(this.#config, await this.#parts.addresses.get()));
  }

  /** What was done to its leases by somebody else, for people; "": nothing. Costs a few system calls. */
  async lostLeases(): Promise<string> {
    return await this.#leaseGuard.look(this.#config.leaseFile, this.#dnsmasq.identity?.pid ?? 0);
  }

  /** Tells others' names. Who is gone has no lease any more: dnsmasq would go on telling its name, and keep its address. */
  async setHosts(hosts: NatHosts): Promise<void> {
    const present = new Set(namesOf(hosts));
    const gone = new Set(namesOf(this.#config.hosts).filter((name) => !present.has(name)));
    const isGone = ({ mac, name }: Lease): boolean => gone.has(name) && !hosts.byMac.some((each) => each.mac === mac);
    this.#config = { ...this.#config, hosts };
    if (!(await this.#writeHosts())) return;
    await this.#readLeases();
    if (this.leases.some(isGone)) await this.#endLeases(isGone);
    else await this.#dnsmasq.reload();
  }

  /** Keeps what its programs say within bounds. */
  async tidy(): Promise<void> {
    await Promise.all([this.#slirp.trimLog(), this.#dnsmasq.trimLog()]);
  }

  /** Removes all of it but the leases. Idempotent. */
  async remove(): Promise<void> {
    this.close();
    await Promise.all([this.#dnsmasq.stop(this.#hostsMark), this.#slirp.stop(slirpMark(this.#socket))]);
    await this.#parts.devices.remove(this.#config.uid);
    await removeNetns(this.#netns, { agentUid: this.#parts.agentUid });
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Looks no more; it goes on. */
  close(): void {
    clearTimeout(this.#leaseTimer);
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#rules.close();
  }

  async #bring(config: NatConfig): Promise<void> {
    const { agentUid, devices, addresses } = this.#parts;
    // Its programs are nobody: they get to their files, and see no others.
    await mkdir(this.#directory, { recursive: true, mode: 0o711 });
    await ensureNetns(this.#netns, { agentUid });
    const { ino } = await stat(join("/run/netns", this.#netns));
    if (ino !== this.#inode) this.#rules.close();
    this.#inode = ino;
    // Nothing is forwarded before it is said what.
    await this.#rules.set(natRules(config, await addresses.get()));
    visitNetns(this.#netns, () => letForward(config.subnet6 !== undefined));
    await devices.ensureInside(config, this.#netns);
    await this.#ensureSlirp();
    await devices.setOutside(config, this.#netns);
    await setForwards(this.#socket, numberForwards(config.forwards), config.name);
    await this.#ensureDnsmasq();
    await devices.plug(config);
    await this.#watchLeases();
    this.note = await findNote();
  }

  async #ensureSlirp(): Promise<void> {
    const socket = this.#socket;
    const isOut = (): boolean => findDevice(this.#netns, outsideDevice) !== undefined;
    // One whose device is gone was made for another namespace.
    if (!isOut()) {
      await this.#slirp.stop(slirpMark(socket));
      await rm(socket, { force: true });
    }
    await this.#slirp.ensure({
      program: "slirp4netns",
      argv: slirpArguments(socket, this.#netns),
      netns: undefined,
      maxFiles: maxConnections,
      mark: slirpMark(socket),
    });
    await this.#until(this.#slirp, "slirp4netns", async () => isOut() && (await exists(socket)));
  }

  async #ensureDnsmasq(): Promise<void> {
    const { leaseFile } = this.#config;
    const changed = await this.#writeHosts();
    const text = dnsmasqConfig(this.#config, { hosts: this.#hostsFile, dhcpHosts: this.#dhcpHostsFile });
    const name = `dnsmasq-${createHash("sha256").update(text).digest("hex").slice(0, 16)}.conf`;
    const path = join(this.#directory, name);
    if (!(await exists(path))) await writeFileAtomic(path, text, { mode: 0o644 });
    const running = await this.#dnsmasq.find(this.#hostsMark);
    // It lives on in a namespace whose name was taken away.
    const isElsewhere = running !== undefined && !(await isNetnsOf(this.#netns, running.pid));
    await this.#leaseGuard.look(leaseFile, running?.pid ?? 0);
    if (isElsewhere || this.#leaseGuard.isLost) await this.#dnsmasq.stop(this.#hostsMark);
    if (running === undefined || isElsewhere || this.#leaseGuard.isLost) {
      await this.#leaseGuard.restore(leaseFile);
      // Its directory may be another one.
      this.#watcher?.close();
      this.#watcher = undefined;
    }
    const started = await this.#dnsmasq.ensure({
      program: "dnsmasq",
      argv: [
        "--keep-in-foreground",
        "--log-facility=-",
        `--conf-file=${path}`,
        this.#hostsMark,
        `--dhcp-leasefile=${leaseFile}`,
      ],
      netns: this.#netns,
      maxFiles: 1024,
      mark: this.#hostsMark,
    });
    if (!started && changed) await this.#dnsmasq.reload();
    await this.#until(this.#dnsmasq, "dnsmasq", () => answersNames(this.#dnsmasq.identity?.pid ?? 0));
    for (const file of await readdir(this.#directory)) {
      if (/^dnsmasq-.*\.conf$/.test(file) && file !== name) await rm(join(this.#directory, file), { force: true });
    }
  }

  /** dnsmasq keeps its leases in memory, and writes all of them whenever one changes. */
  async #endLeases(isGone: (lease: Lease) => boolean): Promise<void> {
    const { leaseFile } = this.#config;
    await this.#dnsmasq.stop(this.#hostsMark);
    await this.#leaseGuard.restore(leaseFile);
    const text = withoutLeases((await readIfExists(leaseFile)) ?? "", isGone);
    await writeFileAtomic(leaseFile, text);
    this.#leaseGuard.changed(text);
    await this.#ensureDnsmasq();
    await this.#watchLeases();
    this.#parts.onLeases();
  }

  async #until(daemon: KeptDaemon, program: string, isReady: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + startMs;
    while (!(await isReady())) {
      const ended = !(await daemon.isRunning());
      if (!ended && performance.now() < deadline) {
        await delay(pollMs);
        continue;
      }
      const why = ended ? "ended at once" : "does not begin";
      throw unavailable("NAT_UNAVAILABLE", this.#config.name, `${program} ${why}: ${await daemon.lastWords()}`);
    }
  }

  /** Whether there was anything new. */
  async #writeHosts(): Promise<boolean> {
    const { hosts } = this.#config;
    const names = await replace(this.#hostsFile, hostsFile(hosts));
    const leases = await replace(this.#dhcpHostsFile, dhcpHostsFile(hosts));
    return names || leases;
  }

  async #watchLeases(): Promise<void> {
    const { leaseFile } = this.#config;
    await this.#readLeases();
    this.#watcher ??= watch(dirname(leaseFile), { persistent: false }, (_, file) => {
      if (leaseFile.endsWith(`/${file ?? ""}`))
        this.#leaseTimer ??= setTimeout(() => void this.#leasesChanged(), leaseMs);
    });
    // The directory goes with the nat.
    this.#watcher.on("error", () => undefined);
  }

  async #leasesChanged(): Promise<void> {
    this.#leaseTimer = undefined;
    await this.#readLeases().catch(() => undefined);
    this.#parts.onLeases();
  }

  async #readLeases(): Promise<void> {
    this.leases = parseLeases((await readIfExists(this.#config.leaseFile)) ?? "");
  }

  get #socket(): string {
    return join(this.#directory, "slirp.sock");
  }

  get #hostsFile(): string {
    return join(this.#directory, "hosts");
  }

  /** The argument by which dnsmasq is known. */
  get #hostsMark(): string {
    return `--addn-hosts=${this.#hostsFile}`;
  }

  get #dhcpHostsFile(): string {
    return join(this.#directory, "dhcp-hosts");
  }
}

function namesOf({ byMac, byAddress }: NatHosts): readonly string[] {
  return [...byMac, ...byAddress].map(({ name }) => name).filter((name) => name !== "");
}

/** Has the thread's namespace forward, and take addresses at once: a gateway's are its own. */
function letForward(hasIpv6: boolean): void {
  const set = (path: string, value: string): void => writeFileSync(join("/proc/sys/net", path), value);
  set("ipv4/ip_forward", "1");
  if (!hasIpv6) return;
  set("ipv6/conf/default/accept_dad", "0");
  set("ipv6/conf/default/accept_ra", "0");
  set("ipv6/conf/all/forwarding", "1");
}

/** Whether a process has the port for names; it binds that once it has begun. */
async function answersNames(pid: number): Promise<boolean> {
  const sockets = await readFile(`/proc/${pid}/net/udp`, "utf8").catch(() => "");
  return /^ *\d+: [0-9A-F]{8}:0035 /m.test(sockets);
}

async function replace(path: string, text: string): Promise<boolean> {
  if ((await readIfExists(path)) === text) return false;
  await writeFileAtomic(path, text, { mode: 0o644 });
  // Whatever the agent's umask is: dnsmasq reads it as nobody.
  await chmod(path, 0o644);
  return true;
}

async function findNote(): Promise<string> {
  const range = (await readIfExists("/proc/sys/net/ipv4/ping_group_range"))?.trim() ?? nobodyPings;
  const [first = 1] = range.split(/\s+/).map(Number);
  // Whoever goes out for guests is root's group.
  if (first === 0) return "";
  return "guests cannot ping what is outside: the host lets no group do so; sysctl net.ipv4.ping_group_range='0 0' would";
}
