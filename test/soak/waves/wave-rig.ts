import { expect, onTestFinished } from "vitest";
import { Connection } from "../../../lib/grpc/connection.js";
import type { Identity } from "../../../lib/tls/identity.js";
import { hubServerName, join } from "../../../lib/tls/join.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { CreateTokenRequest, type Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { type Wave, WaveItemState, WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import { StartWaveRequest, WaveServiceService as service } from "../../../proto/gen/zor/v1/wave_service.js";
import { FakeAgent } from "../../fakes/agent.js";
import { FakeCables, FakeUnderlay } from "../../fakes/agent-cables.js";
import { FakeHostModel } from "../../fakes/agent-model.js";
import { freePort } from "../../helpers/free-port.js";
import { HubProcess } from "../../integration/hub/hub-process.js";

const starts = "zor.v1.InstanceService/StartInstance";

/** A hub in a process of its own, to be killed, and hosts that count what each of their instances is asked for. */
export class WaveRig {
  readonly hub: HubProcess;
  readonly hosts: FakeHostModel[] = [];
  admin: Connection;
  readonly #agents: FakeAgent[] = [];
  readonly #underlay = new FakeUnderlay();

  private constructor(hub: HubProcess, admin: Connection) {
    this.hub = hub;
    this.admin = admin;
  }

  /** With so many hosts of so many stopped instances; until the test ends. */
  static async start(hosts: number, instances: number): Promise<WaveRig> {
    const hub = await HubProcess.start();
    onTestFinished(() => hub[Symbol.asyncDispose]());
    const rig = new WaveRig(hub, await hub.connect());
    onTestFinished(() => rig.#close());
    for (let at = 0; at < hosts; at += 1) await rig.#addHost(`h${at}`, instances);
    await rig.ready();
    return rig;
  }

  /** Names of all instances, those of each host in turn. */
  get names(): readonly string[] {
    const each = this.hosts.map((model) => model.log.list("instance").map(({ name }) => name));
    const most = Math.max(...each.map(({ length }) => length));
    return Array.from({ length: most }, (_, at) => each.flatMap((names) => names[at] ?? [])).flat();
  }

  /** How often each was asked for, and was done, by its name. */
  get asked(): ReadonlyMap<string, number> {
    return countOf(this.hosts.flatMap(({ asked }) => asked.map(({ name }) => name)));
  }

  get done(): ReadonlyMap<string, number> {
    return countOf(this.hosts.flatMap(({ done }) => done));
  }

  /** Different request ids that anything was asked for with. */
  get requestIds(): number {
    return new Set(this.hosts.flatMap(({ asked }) => asked.map(({ requestId }) => requestId))).size;
  }

  hold(): void {
    for (const model of this.hosts) model.hold();
  }

  release(): void {
    for (const model of this.hosts) model.release();
  }

  async begin(spec: Partial<WaveSpec>, as = this.admin): Promise<string> {
    const wanted = WaveSpec.fromPartial({ method: starts, names: [...this.names], ...spec });
    const { operation } = await as.unary(service.startWave, StartWaveRequest.fromPartial({ spec: wanted }));
    return operation?.name ?? "";
  }

  async wave(name: string): Promise<Wave> {
    const { wave } = await this.admin.unary(service.getWave, { name });
    if (wave === undefined) throw new Error("the answer has no wave");
    return wave;
  }

  /** How many of a wave are in which state. */
  async states(name: string): Promise<Readonly<Record<string, number>>> {
    const { items } = await this.wave(name);
    return Object.fromEntries(countOf(items.map(({ state }) => WaveItemState[state].slice("WAVE_ITEM_STATE_".length))));
  }

  async ended(name: string): Promise<{ readonly state: string; readonly why: string }> {
    const wait = { name, timeout: { seconds: 120n, nanos: 0 } };
    const { operation } = await this.admin.unary(OperationServiceService.waitOperation, wait, { timeoutMs: 130_000 });
    const state = OperationState[operation?.state ?? 0] ?? "";
    return { state: state.slice("OPERATION_STATE_".length), why: operation?.error?.message ?? "" };
  }

  /** Waits until agents have been asked for so many. */
  async untilAsked(count: number): Promise<void> {
    const all = (): number => [...this.asked.values()].reduce((sum, each) => sum + each, 0);
    await expect.poll(all, { timeout: 30_000 }).toBe(count);
  }

  /** Kills the hub as a power cut does. */
  async kill(): Promise<void> {
    this.admin.close();
    await this.hub.kill();
  }

  /** The hub comes back. */
  async back(): Promise<void> {
    await this.hub.run();
    this.admin = await this.hub.connect();
    await this.ready();
  }

  async ready(): Promise<void> {
    for (const { host } of this.hosts) {
      const state = async (): Promise<HostState | undefined> =>
        (await this.admin.unary(HostServiceService.getHost, { name: `hosts/${host}` })).host?.state;
      await expect.poll(state, { timeout: 60_000 }).toBe(HostState.HOST_STATE_READY);
    }
  }

  /** A person with a role. */
  async person(id: string, role: Role): Promise<Connection> {
    const request = CreateTokenRequest.fromPartial({ subject: { $case: "userId", value: id }, role });
    const { token } = await this.admin.unary(TokenServiceService.createToken, request);
    return this.as((await join(token)).identity);
  }

  as(identity: Identity): Connection {
    const connection = new Connection({ address: this.hub.address, identity, serverName: hubServerName });
    onTestFinished(() => connection.close());
    return connection;
  }

  async revoke(id: string): Promise<void> {
    const request = { identity: `zor://user/${id}`, requestId: "", validateOnly: false };
    await this.admin.unary(TokenServiceService.revokeIdentity, request);
  }

  async #addHost(id: string, instances: number): Promise<void> {
    const model = new FakeHostModel(id);
    for (let at = 0; at < instances; at += 1) model.addInstance(`vm${at}`);
    const cables = new FakeCables(model, this.#underlay, `10.79.0.${this.hosts.length + 1}`);
    onTestFinished(() => cables.close());
    const request = CreateHostRequest.fromPartial({ hostId: id });
    const { joinToken } = await this.admin.unary(HostServiceService.createHost, request);
    const listen = `127.0.0.1:${await freePort()}`;
    const facts = { addresses: [listen], underlayAddresses: [], undialable: false, uid: model.uid };
    const { identity } = await join(joinToken, { host: facts });
    this.#agents.push(await FakeAgent.start({ model, cables, identity, listen }));
    this.hosts.push(model);
  }

  #close(): void {
    this.release();
    this.admin.close();
    for (const agent of this.#agents) agent.kill();
  }
}

function countOf(words: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
