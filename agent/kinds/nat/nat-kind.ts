import { realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { failedPrecondition, permissionDenied } from "../../../lib/errors.js";
import { mayListen } from "../../../lib/listen-policy.js";
import { quote } from "../../../lib/names.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { type Nat, type NatSpec, NatState, type NatStatus } from "../../../proto/gen/zor/v1/nat.js";
import { keptKind } from "../../kit/kept-kind.js";
import type { AgentKind, Carrying, Checked, Kept, Reference, Whole } from "../../kit/kind.js";
import type { NatConfig } from "../../network/nat/nat-config.js";
import type { NatNetworks, NatNews } from "../../network/nat/nats.js";
import { overlaps, toSubnet, toSubnet6 } from "../../network/nat/subnet.js";
import type { AgentContext } from "../../parts.js";
import { LanMembers } from "./lan-members.js";
import { natHosts } from "./nat-hosts.js";
import { checkNat, protocolName } from "./nat-spec.js";

const maxShownLeases = 256;
/** The programs of a nat that this agent did not start, its devices and its rules are looked at this often. */
const refreshMs = 2000;
/** Instances come and go in bursts. */
const settleMs = 50;
const usualMtu = 1500;

/** The nats of this host: desired ones on disk, carried out by programs that outlive the agent. */
class NatKind implements AgentKind<Nat> {
  readonly kind = "nat";
  readonly oneAtATime = true;
  readonly refreshMs = refreshMs;
  readonly #context: AgentContext;
  readonly #nats: NatNetworks;
  readonly #members = new LanMembers();
  readonly #stale = new Set<string>();
  #kept: Kept<Nat> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: AgentContext, nats: NatNetworks) {
    this.#context = context;
    this.#nats = nats;
    for (const instance of context.references.list("instance")) this.#members.set(instance.name, instance);
    context.publisher.listen("instance", (name) => {
      const lans = this.#members.set(name, context.references.find("instance", idOf(name)));
      if (lans.length > 0) this.#tellNames(lans);
    });
    nats.follow((news) => this.#take(news));
  }

  check(wanted: NatSpec | undefined, before: NatSpec | undefined): Checked<Nat> {
    return checkNat(wanted, before);
  }

  uses({ spec: { lan } }: Whole<Nat>): readonly Reference[] {
    const remedy = "create it first, or list them with: zor get lans";
    return lan === "" ? [] : [{ kind: "lan", id: lan, remedy }];
  }

  admit(nat: Whole<Nat>, others: readonly Whole<Nat>[]): void {
    this.#assertAllowed(nat);
    const { name, spec } = nat;
    // Each has a namespace of its own: two may have one subnet, as long as no guest sees both.
    for (const other of others.filter((each) => spec.lan !== "" && each.spec.lan === spec.lan)) {
      const mine = subnetsOf(spec);
      const taken = subnetsOf(other.spec).find((theirs) => mine.some((own) => overlaps(own, theirs)));
      if (taken !== undefined) {
        const message = `${name}: ${other.name} has the subnet ${taken} in lan ${spec.lan}; choose another subnet, or another lan`;
        throw failedPrecondition("SUBNET_TAKEN", name, message);
      }
      if (!spec.noDhcp && !other.spec.noDhcp) {
        const message = `${name}: ${other.name} gives addresses in lan ${spec.lan} already; make one with no_dhcp, or use another lan`;
        throw failedPrecondition("DHCP_TAKEN", name, message);
      }
    }
  }

  async examine({ name, spec }: Whole<Nat>): Promise<void> {
    await this.#nats.assertFree(subnetsOf(spec), name);
  }

  async ensure(nat: Whole<Nat>, _carrying: Carrying): Promise<void> {
    // What was allowed when it was made may be so no more.
    this.#assertAllowed(nat);
    await this.#nats.ensure(await this.#toConfig(nat));
  }

  async remove({ uid }: Whole<Nat>): Promise<void> {
    await this.#nats.remove(uid);
  }

  observe({ uid, spec }: Whole<Nat>, failure: string): NatStatus {
    const view = this.#nats.find(uid);
    const reason = view?.fault ?? (failure === "" ? "it is being made" : failure);
    const leases = view?.leases ?? [];
    return {
      state: reason === "" ? NatState.NAT_STATE_READY : NatState.NAT_STATE_BROKEN,
      reason,
      gateway: toSubnet(spec.subnet).gateway,
      gateway6: spec.subnet6 === "none" ? "" : toSubnet6(spec.subnet6).gateway,
      leases: leases.slice(0, maxShownLeases).map((lease) => ({ ...lease })),
      leaseCount: leases.length,
      note: view?.note ?? "",
    };
  }

  async begin(kept: Kept<Nat>): Promise<void> {
    this.#kept = kept;
  }

  async refresh(): Promise<void> {
    await this.#nats.heal();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#nats.close();
  }

  async #toConfig(nat: Whole<Nat>): Promise<NatConfig> {
    const { name, uid, spec } = nat;
    const { state, references } = this.#context;
    const subnet = toSubnet(spec.subnet);
    return {
      ...{ uid, name, subnet },
      lan: spec.lan,
      portSettings: spec.portSettings,
      mtu: references.find("lan", spec.lan)?.spec?.mtu ?? usualMtu,
      subnet6: spec.subnet6 === "none" ? undefined : toSubnet6(spec.subnet6),
      range: spec.noDhcp
        ? undefined
        : spec.dhcpFirst === ""
          ? { first: subnet.first, last: subnet.last }
          : { first: spec.dhcpFirst, last: spec.dhcpLast },
      domain: spec.domain,
      hosts: natHosts(spec, this.#members.of(spec.lan)),
      forwards: spec.forwards.map((forward) => ({ ...forward, protocol: protocolName(forward.protocol) })),
      boot: spec.boot === undefined ? undefined : await this.#openBoot(name, spec.boot),
      leaseFile: join(state, "nats", idOf(name), "leases"),
    };
  }

  /** What the agent's own settings say. @throws {ZorError} PERMISSION_DENIED */
  #assertAllowed({ name, spec }: Whole<Nat>): void {
    const { natListen, netbootDirs } = this.#context.settings;
    for (const { listenAddress, listenPort } of spec.forwards) {
      if (mayListen(natListen, listenAddress, listenPort)) continue;
      const what = `port ${listenPort} of ${listenAddress}`;
      throw permissionDenied(
        `${name}: this host lets no nat listen on ${what}; the agent's setting natListen could`,
        name,
      );
    }
    const directory = spec.boot?.directory;
    if (directory === undefined || netbootDirs.some((allowed) => isInside(allowed, directory))) return;
    const what = `directory ${quote(directory)} or one that it is in`;
    throw permissionDenied(
      `${name}: this host serves no ${what} to guests; the agent's setting netbootDirs could name it`,
      name,
    );
  }

  /** The directory as it really is: a link in one that is allowed may lead out of it. */
  async #openBoot(name: string, { directory, file }: NonNullable<NatSpec["boot"]>): Promise<NatConfig["boot"]> {
    const real = await realpath(directory).catch(() => undefined);
    const isDirectory = real !== undefined && (await stat(real)).isDirectory();
    const allowed = await Promise.all(
      this.#context.settings.netbootDirs.map((each) => realpath(each).catch(() => undefined)),
    );
    const isAllowed = allowed.some((each) => each !== undefined && real !== undefined && isInside(each, real));
    if (isDirectory && isAllowed && /^[A-Za-z0-9._/-]+$/.test(real)) return { directory: real, file };
    const what = `${quote(directory)} of the host is no directory, or leads out of those in the agent's setting netbootDirs`;
    throw failedPrecondition("NETBOOT_DIRECTORY", name, `${name}: ${what}`);
  }

  #take({ uid, repaired }: NatNews): void {
    const nat = this.#kept?.all().find(({ resource }) => resource.uid === uid)?.resource;
    if (nat === undefined) return;
    if (repaired !== undefined) {
      const severity = EventSeverity.EVENT_SEVERITY_WARNING;
      const message = `${repaired}; it was made again`;
      this.#context.publisher.event({ severity, type: "nat.healed", resource: nat.name, message, caller: "" });
    }
    this.#kept?.publish(new Set([uid]));
  }

  /** Has those nats know who is who that are in one of the lans. */
  #tellNames(lans: readonly string[]): void {
    for (const lan of lans) this.#stale.add(lan);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const stale = new Set(this.#stale);
      this.#stale.clear();
      for (const { resource } of this.#kept?.all() ?? []) {
        const { uid, name, spec } = resource;
        if (!stale.has(spec.lan)) continue;
        const hosts = natHosts(spec, this.#members.of(spec.lan));
        this.#nats
          .setHosts(uid, hosts)
          .catch((error: unknown) => this.#context.logError(error, `${name} could not be told the names of its lan`));
      }
    }, settleMs);
  }
}

/** Nats, for the list of kinds. */
export const natKind = keptKind<Nat, AgentContext>("nat", (context) => {
  const { nats } = context.parts.network;
  return nats === undefined ? undefined : new NatKind(context, nats);
});

function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function subnetsOf({ subnet, subnet6 }: NatSpec): readonly string[] {
  return subnet6 === "none" ? [subnet] : [subnet, subnet6];
}

function isInside(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}
