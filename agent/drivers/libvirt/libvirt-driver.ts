import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { Log } from "../../../lib/log.js";
import type { Capability } from "../../../proto/gen/zor/v1/host.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { LibvirtOptions } from "../../../proto/gen/zor/v1/libvirt.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import type { Changeable, FieldChange, SpecChange, Timing } from "../abilities/changeable.js";
import type { Discovering, Discovery, FoundInstance } from "../abilities/discovering.js";
import type {
  CallOptions,
  DriverEvent,
  DriverInstance,
  InstanceDriver,
  Observation,
  Pausable,
  RecoveryHandle,
  Resettable,
  Shutdownable,
} from "../driver.js";
import { Announcements } from "./announcements.js";
import { type Domain, instanceIdOf, markNamespace } from "./domain.js";
import type { DomainAccess } from "./domain-access.js";
import { checkInterfaces, DomainInterfaces, isContainer } from "./domain-interfaces.js";
import { DomainConsoles } from "./domain-consoles.js";
import { DomainStatistics } from "./domain-statistics.js";
import { DomainScreens } from "./domain-screens.js";
import { LibvirtConnection } from "./libvirt-connection.js";
import { toObservation } from "./observation.js";
import { probeLibvirt } from "./probe.js";
import { asRefusal, silent, SilentLibvirt } from "./virsh.js";

/** What the driver is made with. */
export interface LibvirtDriverOptions {
  /** Connection URIs, of the agent's setting libvirt. */
  readonly uris: readonly string[];
  /** Identity of the host: whose agent has adopted a domain. */
  readonly hostUid: string;
  readonly log: Log;
}

const remedy = "change the domain with libvirt's own tools, such as virsh edit";

/**
 * Domains of libvirts that the agent's settings name. They are found, never made; what is adopted is marked in its XML. Everything is
 * asked through virsh by UUID: names of domains are anybody's words.
 */
export class LibvirtDriver implements InstanceDriver, Pausable, Resettable, Shutdownable, Discovering, Changeable {
  readonly kind = "libvirt";
  readonly options = { case: "libvirt" } as const;
  readonly network = "host";
  readonly #access: DomainAccess = {
    find: async (instance, signal) => {
      const { uuid, uri } = optionsOf(instance.spec);
      const domain = await this.#attempt(instance, "look at the domain", (found) => found.look(uuid, signal));
      if (domain === undefined) throw gone(instance);
      return { uri, domain };
    },
    ask: (instance, doing, argv, { signal }) =>
      this.#attempt(instance, doing, (connection) => connection.ask(argv, signal)),
  };
  readonly #interfaces = new DomainInterfaces(this.#access);
  readonly wiring = this.#interfaces;
  readonly carrier = this.#interfaces;
  readonly #consoles = new DomainConsoles(this.#access);
  readonly can = {
    ...{ pause: this, reset: this, shutdown: this, discover: this, change: this },
    ...{
      console: this.#consoles,
      screen: new DomainScreens(this.#access),
      statistics: new DomainStatistics(this.#access),
    },
  };
  readonly #hostUid: string;
  readonly #connections: readonly LibvirtConnection[];
  readonly #announcements = new Announcements();

  constructor({ uris, hostUid, log }: LibvirtDriverOptions) {
    this.#hostUid = hostUid;
    const tell: Announcements["tell"] = (uuid, changes) => this.#announcements.tell(uuid, changes);
    this.#connections = [...new Set(uris)].map((uri) => new LibvirtConnection({ uri, onChange: tell, log }));
  }

  async fingerprint({ signal }: CallOptions): Promise<readonly Capability[]> {
    return probeLibvirt(
      this.#connections.map(({ uri }) => uri),
      signal,
    );
  }

  async validate(spec: InstanceSpec): Promise<void> {
    const { adopted, uuid, uri } = optionsOf(spec);
    if (!adopted || !this.#announcements.isWatched(uuid, uri)) throw madeHere();
    checkInterfaces(spec, uri);
  }

  /** Marks the domain. */
  async create(instance: DriverInstance, options: CallOptions): Promise<void> {
    const { uuid, uri } = optionsOf(instance.spec);
    // A copy of what was adopted is not the domain.
    if (uuid !== instance.uid) throw madeHere();
    const domain = await this.#attempt(instance, "look at the domain", (found) => found.look(uuid, options.signal));
    if (domain === undefined) throw gone(instance);
    if (domain.adoptedBy !== undefined && domain.adoptedBy !== this.#hostUid) throw taken(instance.name, domain);
    const mark = ["--key", "zor", "--set", `<adopted host="${this.#hostUid}"/>`];
    await this.#setMark(instance, domain, mark, options);
    this.#announcements.watch(uuid, uri);
  }

  async start(instance: DriverInstance, network: InstanceNetwork, { signal }: CallOptions): Promise<RecoveryHandle> {
    const { uuid } = optionsOf(instance.spec);
    signal.throwIfAborted();
    // Ending virsh would not keep libvirt from starting it.
    const domain = await this.#act(instance, "start the domain", ["start", uuid], uninterrupted);
    const handle = domain === undefined ? undefined : toHandle(domain);
    if (handle === undefined)
      throw failedPrecondition("ENDED_AT_ONCE", instance.name, `${instance.name} was started and has ended at once`);
    try {
      signal.throwIfAborted();
      await this.#interfaces.connect(instance, handle, network, { signal });
    } catch (error) {
      await this.#act(instance, "end the domain", ["destroy", uuid], uninterrupted).catch(() => undefined);
      throw error;
    }
    return handle;
  }

  async recover(
    instance: DriverInstance,
    known: RecoveryHandle | undefined,
    { signal }: CallOptions,
  ): Promise<RecoveryHandle | undefined> {
    const { uuid, uri } = optionsOf(instance.spec);
    if (uuid === "") return undefined;
    this.#announcements.watch(uuid, uri);
    // Of one that ran it must not be said that it has ended. Of others, a libvirt that does not answer has nothing to say: they are unknown.
    if (known === undefined && this.#find(uri)?.trouble !== undefined) return undefined;
    const domain = await this.#attempt(instance, "look at the domain", (found) => found.look(uuid, signal));
    return domain === undefined ? undefined : toHandle(domain);
  }

  async stop(instance: DriverInstance, _handle: RecoveryHandle, { signal }: CallOptions): Promise<void> {
    const { uuid } = optionsOf(instance.spec);
    const domain = await this.#attempt(instance, "look at the domain", (found) => found.look(uuid, signal));
    if (domain?.run !== undefined) await this.#act(instance, "end the domain", ["destroy", uuid], signal);
  }

  /** Takes the mark away; nothing else of the domain is touched. */
  async destroy(instance: DriverInstance, options: CallOptions): Promise<void> {
    const { uuid, uri } = findOptions(instance.spec) ?? { uuid: "", uri: "" };
    // Every driver is asked of an instance whose specification is lost.
    if (uuid === "") return;
    // One that the settings name no more is let go of as it is.
    if (this.#find(uri) !== undefined) {
      const domain = await this.#attempt(instance, "look at the domain", (found) => found.look(uuid, options.signal));
      if (domain?.run !== undefined) await this.#interfaces.letGo(instance, domain, options);
      if (domain?.adoptedBy === this.#hostUid) await this.#setMark(instance, domain, ["--remove"], options);
    }
    this.#announcements.forget(uuid);
  }

  async inspect(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    { signal }: CallOptions,
  ): Promise<Observation> {
    const { uuid, uri } = optionsOf(instance.spec);
    const connection = this.#find(uri);
    if (connection === undefined) {
      const reason = `the agent's setting libvirt does not name ${uri} any more`;
      return { ...toObservation(uri, undefined, undefined), state: "unknown", reason };
    }
    if (!connection.isFollowed && connection.trouble === undefined)
      await connection.look(uuid, signal).catch((error: unknown) => {
        if (!(error instanceof SilentLibvirt)) throw error;
      });
    const domain = connection.domains.get(uuid);
    const startTime = connection.startOf(uuid);
    const observation = { ...toObservation(uri, domain, connection.trouble), startTime };
    const now = domain === undefined ? undefined : toHandle(domain);
    if (handle === undefined || now === undefined || now.pid === handle.pid) return observation;
    return { ...observation, successor: now };
  }

  async *events(signal: AbortSignal): AsyncGenerator<DriverEvent> {
    const following = Promise.all(this.#connections.map((connection) => connection.follow(signal)));
    try {
      yield* this.#announcements.events(signal);
    } finally {
      await following;
    }
  }

  async *discover(signal: AbortSignal): AsyncGenerator<Discovery> {
    for await (const uid of this.#announcements.changes(signal)) {
      const connection = this.#connections.find(({ domains }) => domains.has(uid));
      const domain = connection?.domains.get(uid);
      if (connection === undefined || domain === undefined) yield { type: "gone", uid };
      else yield { type: "found", found: toFound(connection, domain, this.#hostUid) };
    }
  }

  toAdopted({ id, spec }: FoundInstance): InstanceSpec {
    const options = optionsOf(spec);
    const domain = this.#find(options.uri)?.domains.get(options.uuid);
    if (domain?.adoptedBy !== undefined && domain.adoptedBy !== this.#hostUid) throw taken(id, domain);
    return { ...spec, driver: { $case: "libvirt", value: { ...options, adopted: true } } };
  }

  /** Connections end with the signals of their callers. */
  async detach(): Promise<void> {
    this.#announcements.close();
    await this.#consoles.close();
  }

  async pause(instance: DriverInstance, _handle: RecoveryHandle, { signal }: CallOptions): Promise<void> {
    await this.#act(instance, "pause the domain", ["suspend", optionsOf(instance.spec).uuid], signal);
  }

  async resume(instance: DriverInstance, _handle: RecoveryHandle, { signal }: CallOptions): Promise<void> {
    await this.#act(instance, "resume the domain", ["resume", optionsOf(instance.spec).uuid], signal);
  }

  async reset(
    instance: DriverInstance,
    handle: RecoveryHandle,
    _network: InstanceNetwork,
    { signal }: CallOptions,
  ): Promise<RecoveryHandle> {
    const { uuid } = optionsOf(instance.spec);
    const domain = await this.#act(instance, "reset the domain", ["reset", uuid], signal);
    // libvirt tells of resets that guests make, not of those that it is asked for.
    this.#announcements.tell(uuid, ["reset"]);
    return (domain === undefined ? undefined : toHandle(domain)) ?? handle;
  }

  async requestShutdown(instance: DriverInstance, _handle: RecoveryHandle, { signal }: CallOptions): Promise<void> {
    await this.#act(instance, "ask the domain to shut down", ["shutdown", optionsOf(instance.spec).uuid], signal);
  }

  async giveUpShutdown(): Promise<void> {}

  timingOf({ path, before, after }: FieldChange): Timing {
    if (!path.startsWith("nics.")) return { when: "never", remedy };
    const name = path.slice("nics.".length);
    const stays = [before, after].every(({ nics }) => nics.some((nic) => nic.name === name));
    if (stays) return { when: "never", remedy: "take the interface away and add it anew" };
    const isGone = before.nics.some((nic) => nic.name === name);
    return { when: isGone && isContainer(before) ? "next-start" : "now" };
  }

  async applyChange(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    change: SpecChange,
    options: CallOptions,
  ): Promise<() => Promise<void>> {
    if (handle === undefined) return async () => undefined;
    return await this.#interfaces.change(instance, change, options);
  }

  #find(uri: string): LibvirtConnection | undefined {
    return this.#connections.find((connection) => connection.uri === uri);
  }

  /** In the definition and in what runs, as far as there are both. */
  async #setMark(
    instance: DriverInstance,
    { uuid, run, isTransient }: Domain,
    what: readonly string[],
    { signal }: CallOptions,
  ): Promise<void> {
    const where = [...(run === undefined ? [] : ["--live"]), ...(isTransient ? [] : ["--config"])];
    const argv = ["metadata", uuid, "--uri", markNamespace, ...where, ...what];
    await this.#act(instance, "change the mark of the domain", argv, signal);
  }

  #act(
    instance: DriverInstance,
    doing: string,
    argv: readonly string[],
    signal: AbortSignal,
  ): Promise<Domain | undefined> {
    const { uuid } = optionsOf(instance.spec);
    return this.#attempt(instance, doing, (connection) => connection.act(uuid, argv, signal));
  }

  async #attempt<T>(
    { name, spec }: DriverInstance,
    doing: string,
    work: (connection: LibvirtConnection) => Promise<T>,
  ): Promise<T> {
    const { uri } = optionsOf(spec);
    const connection = this.#find(uri);
    if (connection === undefined) {
      const message = `the agent's setting libvirt does not name ${uri}; add it, or let go of the domain with: zor delete instance`;
      throw failedPrecondition("URI_NOT_ALLOWED", name, message);
    }
    const { trouble } = connection;
    if (trouble !== undefined) throw silent(name, toObservation(uri, undefined, trouble).reason);
    try {
      return await work(connection);
    } catch (error) {
      throw asRefusal(error, { uri, name, doing });
    }
  }
}

function optionsOf(spec: InstanceSpec): LibvirtOptions {
  const options = findOptions(spec);
  if (options !== undefined) return options;
  throw new Error("the specification is none of a domain");
}

function findOptions({ driver }: InstanceSpec): LibvirtOptions | undefined {
  return driver?.$case === "libvirt" ? driver.value : undefined;
}

function toHandle({ run }: Domain): RecoveryHandle | undefined {
  return run === undefined ? undefined : { pid: run, startTicks: "0", extra: {} };
}

function toFound({ uri, trouble }: LibvirtConnection, domain: Domain, hostUid: string): FoundInstance {
  const { uuid, name, title, hypervisor, cpus, memoryMib, adoptedBy } = domain;
  const value = { uri, uuid, domain: name, hypervisor, title, adopted: false };
  const observation = toObservation(uri, domain, trouble);
  const by = adoptedBy === undefined || adoptedBy === hostUid ? "" : ", but by another agent";
  const reason = [observation.reason, `not adopted${by}`].filter((text) => text !== "").join("; ");
  const spec = InstanceSpec.fromPartial({ cpus, memoryMib, driver: { $case: "libvirt", value } });
  return { uid: uuid, id: instanceIdOf(uri, name), spec, observation: { ...observation, reason } };
}

function madeHere(): Error {
  const description = "domains are not made here: make one with libvirt's own tools, then take it over with: zor adopt";
  return invalidFields([{ field: "instance.spec.libvirt", description }]);
}

function gone({ name }: DriverInstance): Error {
  return failedPrecondition("DOMAIN_GONE", name, `libvirt has no such domain any more as ${name}`);
}

function taken(name: string, { uuid, adoptedBy }: Domain): Error {
  const undo = `virsh metadata ${uuid} --uri ${markNamespace} --remove --config --live`;
  const message = `${name} is adopted by the agent of another host (${quote(adoptedBy ?? "")}); let go of it there, or take the mark away with: ${undo}`;
  return failedPrecondition("ADOPTED_ELSEWHERE", name, message);
}
