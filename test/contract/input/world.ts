import type { DescMethod } from "@bufbuild/protobuf";
import { findRule } from "../../../lib/kinds/kinds.js";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { Agent } from "../../../agent/agent.js";
import { agentConfigSchema, settle } from "../../../agent/config.js";
import type { InstanceDriver } from "../../../agent/drivers/driver.js";
import { createDrivers } from "../../../agent/drivers/registry.js";
import { IdentityHolder, loadHostIdentity } from "../../../agent/identity-holder.js";
import { joinAsHost } from "../../../agent/join.js";
import type { CablePlugger } from "../../../agent/cable/plugger.js";
import { kinds } from "../../../agent/kinds/index.js";
import { linkEndKind } from "../../../agent/kinds/link-end/link-end-kind.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import type { Identity } from "../../../lib/tls/identity.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { createLog } from "../../../lib/log.js";
import { A2bServiceService, CreateA2bRequest } from "../../../proto/gen/zor/v1/a2b_service.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import {
  CreateInstanceRequest,
  DeleteInstanceRequest,
  InstanceServiceService,
} from "../../../proto/gen/zor/v1/instance_service.js";
import { CreateLanRequest, DeleteLanRequest, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { ListOperationsRequest, OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { FakeDriver } from "../../fakes/driver.js";
import { FakeHostNetwork } from "../../fakes/host-network.js";
import { probedOnce } from "../../fakes/host-probe.js";
import { eventually } from "../../helpers/eventually.js";
import { freePort } from "../../helpers/free-port.js";
import { importBytes, noise } from "../../helpers/image-imports.js";
import { connect, HubFixture } from "../../integration/hub/fixture.js";

/** The built-in image lies in the second. */
const imageDirectories = (state: string): string[] => [join(state, "images"), "/var/lib/zor/images"];

const noPlugger = new Proxy({} as CablePlugger, {
  get: () => () => () => undefined,
});

const silent = createLog("test", { write: () => undefined });

/**
 * A hub before an agent, both in this process, whose instances are checked by the real drivers and run by none: what a driver would take
 * is then kept, and nothing is started.
 */
export class InputWorld {
  readonly fixture: HubFixture;
  readonly state: string;
  readonly drivers: readonly FakeDriver[];
  #remembered: ReadonlyMap<string, string> | undefined;
  readonly #agent: Agent;
  #identity: Identity | undefined;

  private constructor(parts: { fixture: HubFixture; state: string; drivers: readonly FakeDriver[]; agent: Agent }) {
    this.fixture = parts.fixture;
    this.state = parts.state;
    this.drivers = parts.drivers;
    this.#agent = parts.agent;
  }

  static async start(): Promise<InputWorld> {
    const fixture = await HubFixture.start();
    const state = await mkdtemp(join(tmpdir(), "zt-input-"));
    const listen = `127.0.0.1:${await freePort()}`;
    const config = agentConfigSchema.parse({
      state,
      listen: [listen],
      imageDirs: imageDirectories(state),
      observeSeconds: 60,
    });
    const { joinToken } = await fixture.admin.unary(
      HostServiceService.createHost,
      CreateHostRequest.fromPartial({ hostId: "h1", host: { addresses: [listen] } }),
    );
    await joinAsHost(joinToken, config);
    const { identity } = await loadHostIdentity(state, "h1");
    const drivers = checkingDrivers(state);
    const agent = await Agent.start({
      settings: settle(config, undefined, "h1"),
      hostUid: "uid-of-h1",
      identity: new IdentityHolder(identity),
      // Boxes are kept while there is no engine; links would start one.
      parts: {
        drivers,
        network: new FakeHostNetwork().toPart(),
        cables: { plugger: noPlugger, udpSuperFrames: false },
        probeHost: probedOnce,
      },
      kinds: kinds.filter((each) => each !== linkEndKind),
      log: silent,
    });
    const world = new InputWorld({ fixture, state, drivers, agent });
    await eventually(async () => {
      const { host } = await fixture.admin.unary(HostServiceService.getHost, { name: "hosts/h1" });
      expect(host?.state).toBe(HostState.HOST_STATE_READY);
    });
    await world.#furnish();
    return world;
  }

  async close(): Promise<void> {
    await this.#agent.close();
    await this.fixture[Symbol.asyncDispose]();
    await rm(this.state, { recursive: true, force: true });
  }

  /** A connection of its own, for streams: a client that gives up many on one is cut off. Whoever asked for it closes it. */
  async another(): Promise<Connection> {
    this.#identity ??= await this.fixture.identity("ana", Role.ROLE_ADMIN);
    return connect(this.fixture.hub, this.#identity);
  }

  /** Waits until an operation has ended. */
  async ended(name: string): Promise<void> {
    const timeout = { seconds: 10n, nanos: 0 };
    await this.fixture.admin.unary(OperationServiceService.waitOperation, { name, timeout });
  }

  /** Deletes what a method has made. */
  async undo(method: DescMethod, id: string): Promise<void> {
    const rule = findRule(`/${method.parent.typeName}/${method.name}`);
    const parent = "hosts/h1";
    if (rule?.verb !== "create") return;
    const { admin } = this.fixture;
    if (rule.kind === "instance") {
      const name = `${parent}/instances/${id}`;
      const { operations } = await admin.unary(
        OperationServiceService.listOperations,
        ListOperationsRequest.fromPartial({ parent, filter: `target = ${name}` }),
      );
      for (const { name: each } of operations) await this.ended(each);
      await admin
        .unary(InstanceServiceService.deleteInstance, DeleteInstanceRequest.fromPartial({ name, force: true }))
        .catch(() => undefined);
    }
    if (rule.kind === "lan") {
      await admin
        .unary(LanServiceService.deleteLan, DeleteLanRequest.fromPartial({ name: `${parent}/lans/${id}` }))
        .catch(() => undefined);
    }
  }

  /** What {@link kept} gave last; reads it when that was forgotten. */
  async remembered(): Promise<ReadonlyMap<string, string>> {
    return this.#remembered ?? (await this.read());
  }

  /** {@link kept}, to be remembered. */
  async read(): Promise<ReadonlyMap<string, string>> {
    this.#remembered = await this.kept();
    return this.#remembered;
  }

  /** Something was taken: what is kept is another thing from now on. */
  forget(): void {
    this.#remembered = undefined;
  }

  /** All that is kept, file by file, but for records of what was asked, and what runs. */
  async kept(): Promise<ReadonlyMap<string, string>> {
    // Those records are many: they are not even looked for.
    const parts = (await readdir(this.state)).filter((name) => name !== "requests" && name !== "operations");
    const below = parts.map(async (part) => {
      const names = await readdir(join(this.state, part), { recursive: true }).catch(() => []);
      return [part, ...names.map((name) => join(part, name))];
    });
    const names = (await Promise.all(below)).flat();
    const files = names.filter((name) => !/\.(log|tmp)$/.test(name)).sort();
    const contents = files.map(async (name): Promise<[string, string]> => {
      const path = join(this.state, name);
      return [name, name.endsWith(".json") ? await readFile(path, "utf8").catch(() => "gone") : ""];
    });
    const running = this.drivers.map(({ kind, guests }): [string, string] => [
      `runs: ${kind}`,
      [...guests.keys()].join(),
    ]);
    return new Map([...(await Promise.all(contents)), ...running]);
  }

  /** What requests may name. */
  async #furnish(): Promise<void> {
    const { admin } = this.fixture;
    const parent = "hosts/h1";
    await admin.unary(HostServiceService.createHost, CreateHostRequest.fromPartial({ hostId: "h2" }));
    for (const lanId of ["lan1", "lan2", "lan3"])
      await admin.unary(LanServiceService.createLan, CreateLanRequest.create({ parent, lanId }));
    for (const [instanceId, spec] of [
      ["c1", { nics: [{}], crun: { rootfs: "micro" } }],
      ["m1", { nics: [{}], qemu: { kernel: "micro", disks: [{ sizeMib: "64" }], cdroms: [{}], usb: {} } }],
    ] as const) {
      const instance = Instance.fromJSON({ spec });
      const request = CreateInstanceRequest.create({ parent, instanceId, instance });
      const { operation } = await admin.unary(InstanceServiceService.createInstance, request);
      await this.ended(operation?.name ?? "");
    }
    const a2b = { spec: { lanA: "lan1", lanB: "lan2" } };
    await admin.unary(A2bServiceService.createA2B, CreateA2bRequest.fromPartial({ parent, a2bId: "b1", a2b }));
    await mkdir(join(this.state, "recipes", "tiny"), { recursive: true });
    await writeFile(join(this.state, "recipes", "tiny", "build"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    await importBytes(admin, noise("input", 4096), { parent, imageId: "disk" });
  }
}

/** The real drivers' checks, before instances that run in memory. */
function checkingDrivers(state: string): readonly FakeDriver[] {
  const engines = { docker: "/nowhere/docker.sock", podman: "/nowhere/podman.sock" };
  const options = {
    imageDirectories: imageDirectories(state),
    stateDirectory: state,
    containerCapabilities: [],
    engines,
    registries: [],
    disk: {},
  };
  return createDrivers({ ...options, log: silent }).map((real: InstanceDriver) => {
    const { kind, network, placing } = real;
    const fake = new FakeDriver({ kind, options: real.options, network });
    return Object.assign(fake, {
      validate: real.validate.bind(real),
      ...(placing === undefined ? {} : { placing }),
    });
  });
}
