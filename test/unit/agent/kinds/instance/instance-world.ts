import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InstanceDriver } from "../../../../../agent/drivers/driver.js";
import type { Boot } from "../../../../../agent/host/boot.js";
import type { EventDraft } from "../../../../../agent/kit/events.js";
import { InstanceStore } from "../../../../../agent/kinds/instance/instance-store.js";
import { InstanceManager } from "../../../../../agent/kinds/instance/manager.js";
import { toInstance } from "../../../../../agent/kinds/instance/record.js";
import { References } from "../../../../../agent/kit/references.js";
import type { DurableWriter } from "../../../../../agent/kit/spec-directory.js";
import { VolumeHolders } from "../../../../../agent/storage/volume-holders.js";
import { writeFileAtomic } from "../../../../../lib/files.js";
import { parseId } from "../../../../../lib/names.js";
import { Instance, type InstanceSpec } from "../../../../../proto/gen/zor/v1/instance.js";
import { FakeDriver } from "../../../../fakes/driver.js";
import { FakeHostNetwork } from "../../../../fakes/host-network.js";

/** A host in memory, with a real disk below it, on which agents come and go. */
export class InstanceWorld {
  readonly driver = new FakeDriver();
  /** What the next agent has. */
  drivers: readonly InstanceDriver[] = [this.driver];
  readonly network = new FakeHostNetwork();
  readonly events: EventDraft[] = [];
  readonly removed: string[] = [];
  /** Told of each state of an instance that watchers see. */
  onPublish: (instance: Instance) => void = () => undefined;
  readonly #directory: string;
  /** Which run of the host's kernel the next agent finds itself in. */
  boot: Boot = { id: "first boot", time: new Date("2026-11-26T08:00:00.250Z") };
  /** Memory that stays free, of the next agent. */
  memoryReserveMib = 0;
  /** Errors that the next writes meet, instead of writing. */
  diskFailure: unknown;
  /** Name of the file that alone meets them; empty: all do. */
  failingFile = "";

  /** The lans of the host, as kinds see each other. */
  readonly references = new References("h1");

  private constructor(directory: string) {
    const { lans } = this.network;
    const nameOf = (id: string) => ({ name: `hosts/h1/lans/${id}` });
    this.references.add("lan", {
      has: (id) => lans.has(id),
      find: (id) => (lans.has(id) ? nameOf(id) : undefined),
      list: () => [...lans.keys()].map(nameOf),
      uses: () => [],
    });
    this.#directory = directory;
    this.network.lans.set("lan1", { uid: "lan1-uid", plugged: new Map() });
    this.network.lans.set("lan2", { uid: "lan2-uid", plugged: new Map() });
  }

  static async create(): Promise<InstanceWorld> {
    return new InstanceWorld(await mkdtemp(join(tmpdir(), "zt-inst-")));
  }

  /** Path of a file of an instance. */
  file(id: string, name: string): string {
    return join(this.#directory, id, name);
  }

  /** A new agent on this host. The one before, if any, is as good as killed: nothing of it is told. */
  async agent(): Promise<InstanceManager> {
    const write: DurableWriter = (path, content, options) =>
      this.diskFailure === undefined || !path.endsWith(this.failingFile)
        ? writeFileAtomic(path, content, options)
        : Promise.reject(this.diskFailure);
    const manager = new InstanceManager(
      {
        host: "h1",
        limits: { cpus: 4, memoryMib: 4096 },
        memoryReserveMib: this.memoryReserveMib,
        boot: this.boot,
        store: new InstanceStore(this.#directory, write),
        networks: this.network.createInstanceNetworks(),
        drivers: this.drivers,
        holders: new VolumeHolders(),
        references: this.references,
        publish: (record) => this.onPublish(toInstance(record)),
        emit: (event) => this.events.push(event),
        logError: () => undefined,
        now: () => new Date(),
      },
      ({ stored }) => this.removed.push(stored.resource.name),
      { publish: () => undefined, removed: (name) => this.removed.push(name) },
    );
    await manager.adoptAll(options.signal);
    return manager;
  }

  async destroy(): Promise<void> {
    // An agent that counts as killed may be writing still.
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Options of an action of a test. */
export const options = { signal: new AbortController().signal, caller: "zor://user/tester", validateOnly: false };

/** A disk that is full. */
export const diskFull = Object.assign(new Error("no space"), { code: "ENOSPC" });

/** A spec of a container with one NIC. */
export function spec(lan = "lan1"): InstanceSpec {
  const { spec: made } = Instance.fromJSON({ spec: { nics: [{ lan }], crun: { rootfs: "micro" } } });
  if (made === undefined) throw new Error("the spec is there");
  return made;
}

/** Makes and, unless told otherwise, starts an instance. */
export async function make(
  manager: InstanceManager,
  id: string,
  wanted: { readonly spec?: InstanceSpec; readonly leaveStopped?: boolean; readonly signal?: AbortSignal } = {},
): Promise<void> {
  const creation = await manager.create(
    { id: parseId("id", id), labels: {}, annotations: {}, spec: wanted.spec ?? spec() },
    { ...options, leaveStopped: wanted.leaveStopped ?? false },
  );
  await creation.run({ signal: wanted.signal ?? options.signal, progress: () => undefined });
}
