import { randomUUID } from "node:crypto";
import { alreadyExists, failedPrecondition, notFound } from "../../lib/errors.js";
import { Operations } from "../../lib/operations.js";
import { WatchLog } from "../../lib/watch/watch-log.js";
import type { WatchFiguresResponse } from "../../proto/gen/zor/v1/figures_service.js";
import { Host, HostState } from "../../proto/gen/zor/v1/host.js";
import { Instance, InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../proto/gen/zor/v1/lan.js";

/** What is on a fake host, in memory. It outlives the fake agent that serves it, as guests outlive a real one. */
export class FakeHostModel {
  /** Serial numbers of revoked certificates, as the hub told them last. */
  revokedSerials: readonly string[] = [];
  /** Why the hub does not use its agent, as the hub said last. */
  refusal = "";
  /** What its agent says of figures; undefined: that it measures nothing. */
  figures: WatchFiguresResponse | undefined;
  /** Verbs that instances were asked for, each time that they were, and those that were done. */
  readonly asked: { readonly name: string; readonly requestId: string }[] = [];
  readonly done: string[] = [];
  readonly host: string;
  readonly uid: string;
  readonly operations: Operations;
  /** Consoles that are attached now. */
  openConsoles = 0;
  /** The agent's event log; a restarted agent has a new one. */
  log = new WatchLog();
  readonly #lans = new Map<string, Lan>();
  #held: PromiseWithResolvers<void> | undefined;
  readonly #instances = new Map<string, Instance>();

  constructor(host: string) {
    this.host = host;
    this.uid = randomUUID();
    this.operations = new Operations({
      prefix: `hosts/${host}/operations`,
      publish: (operation) => this.log.upsert({ kind: "operation", value: operation }),
      forget: (name) => this.log.remove("operation", name),
    });
    this.#announceHost();
  }

  /** Begins a new epoch with everything that is there, as a restarted agent does. */
  restart(): void {
    this.log = new WatchLog();
    this.#announceHost();
    for (const lan of this.#lans.values()) this.log.upsert({ kind: "lan", value: lan });
    for (const instance of this.#instances.values()) this.log.upsert({ kind: "instance", value: instance });
  }

  addLan(id: string, rstp = false): Lan {
    const name = `hosts/${this.host}/lans/${id}`;
    if (this.#lans.has(name)) throw alreadyExists(name);
    const lan = Lan.fromPartial({ name, uid: randomUUID(), spec: { mtu: 1500, rstp }, status: { datapath: "netdev" } });
    this.#lans.set(name, lan);
    this.log.upsert({ kind: "lan", value: lan });
    return lan;
  }

  lan(name: string): Lan {
    const lan = this.#lans.get(name);
    if (lan === undefined) throw notFound(name);
    return lan;
  }

  removeLan(name: string): void {
    this.lan(name);
    this.#lans.delete(name);
    this.log.remove("lan", name);
  }

  addInstance(id: string, state = InstanceState.INSTANCE_STATE_STOPPED): Instance {
    const name = `hosts/${this.host}/instances/${id}`;
    if (this.#instances.has(name)) throw alreadyExists(name);
    return this.#put(
      Instance.fromPartial({ name, uid: randomUUID(), spec: { cpus: 1, memoryMib: 64n }, status: { state } }),
    );
  }

  instance(name: string): Instance {
    const instance = this.#instances.get(name);
    if (instance === undefined) throw notFound(name);
    return instance;
  }

  setState(name: string, state: InstanceState): Instance {
    const instance = this.instance(name);
    if (instance.status?.state === state)
      throw failedPrecondition("WRONG_STATE", name, `${name} is in that state already`);
    return this.#put(Instance.fromPartial({ ...instance, status: { ...instance.status, state } }));
  }

  /** From now on verbs of instances wait. */
  hold(): void {
    this.#held = Promise.withResolvers();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Resolves when verbs of instances may go on. */
  get held(): Promise<void> | undefined {
    return this.#held?.promise;
  }

  removeInstance(name: string): void {
    this.instance(name);
    this.#instances.delete(name);
    this.log.remove("instance", name);
  }

  #put(instance: Instance): Instance {
    this.#instances.set(instance.name, instance);
    this.log.upsert({ kind: "instance", value: instance });
    return instance;
  }

  #announceHost(): void {
    const host = Host.fromPartial({
      name: `hosts/${this.host}`,
      uid: this.uid,
      state: HostState.HOST_STATE_READY,
      fingerprint: { agentVersion: "0.1.0", apiVersions: ["zor.v1"], cpus: 2, memoryMib: 1024n },
      agentPid: BigInt(process.pid),
    });
    this.log.upsert({ kind: "host", value: host });
  }
}
