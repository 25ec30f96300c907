import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { describe, expect, test } from "vitest";
import { Connection } from "../../../lib/grpc/connection.js";
import { nodePath, programPath } from "../../../lib/program.js";
import { loadIdentity } from "../../../lib/tls/identity.js";
import { hubServerName, join } from "../../../lib/tls/join.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService, ListHostsRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { LinkState } from "../../../proto/gen/zor/v1/link.js";
import { CreateLinkRequest, LinkServiceService, ListLinksRequest } from "../../../proto/gen/zor/v1/link_service.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { type WatchPosition, WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { FakeAgent } from "../../fakes/agent.js";
import { FakeCables, FakeUnderlay } from "../../fakes/agent-cables.js";
import { FakeHostModel } from "../../fakes/agent-model.js";

/** A hub in a process of its own. */
class HubProcess implements AsyncDisposable {
  readonly state: string;
  #process: ChildProcess | undefined;
  #ports: { listen: string; join: string; reverse: string };

  private constructor(state: string) {
    this.state = state;
    const any = "127.0.0.1:0";
    this.#ports = { listen: any, join: any, reverse: any };
  }

  static async start(): Promise<HubProcess> {
    const hub = new HubProcess(await mkdtemp(joinPath(tmpdir(), "zt-kill-")));
    await hub.run();
    return hub;
  }

  /** Starts the process, after the first time on the same ports, and waits until it serves. */
  async run(): Promise<void> {
    const { listen, join: joinListen, reverse } = this.#ports;
    const flags = ["--listen", listen, "--join-listen", joinListen, "--reverse-listen", reverse];
    const child = spawn(nodePath, [programPath("hub"), "hub", "run", "--state", this.state, ...flags], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    this.#process = child;
    await expect.poll(() => this.#facts().then(({ pid }) => pid), { timeout: 15_000 }).toBe(child.pid);
    const facts = await this.#facts();
    this.#ports = {
      listen: facts.listen[0] ?? "",
      join: facts.joinListen[0] ?? "",
      reverse: facts.reverseListen[0] ?? "",
    };
  }

  async connect(): Promise<Connection> {
    const identity = await loadIdentity(joinPath(this.state, "admin"));
    return new Connection({ address: this.#ports.listen, identity, serverName: hubServerName });
  }

  /** Ends the process as a power cut would: no handler runs. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.state, { recursive: true, force: true });
  }

  async #facts(): Promise<{ pid: number; listen: string[]; joinListen: string[]; reverseListen: string[] }> {
    const text = await readFile(joinPath(this.state, "run.json"), "utf8").catch(() => "{}");
    return JSON.parse(text);
  }
}

interface Fleet extends AsyncDisposable {
  readonly hosts: readonly string[];
}

/** Hosts with fake agents, each with lans, joined to the hub. */
async function startFleet(hub: HubProcess, hosts: readonly string[], lans: number): Promise<Fleet> {
  const admin = await hub.connect();
  const underlay = new FakeUnderlay();
  const agents: FakeAgent[] = [];
  for (const [index, id] of hosts.entries()) {
    const model = new FakeHostModel(id);
    for (let lan = 0; lan < lans; lan += 1) model.addLan(`lan${lan}`);
    const cables = new FakeCables(model, underlay, `10.78.0.${index + 1}`);
    const { joinToken } = await admin.unary(
      HostServiceService.createHost,
      CreateHostRequest.fromPartial({ hostId: id }),
    );
    const facts = { addresses: [], underlayAddresses: [], undialable: false, uid: model.uid };
    // Joined twice: the first gives the identity to serve with, the second tells the address this gives.
    const first = await join(joinToken, { host: facts });
    const agent = await FakeAgent.start({ model, cables, identity: first.identity });
    agents.push(agent);
    const { token } = await admin.unary(TokenServiceService.createToken, {
      subject: { $case: "hostId", value: id },
      role: 0,
      ttl: undefined,
      requestId: "",
    });
    await join(token, { host: { ...facts, addresses: [agent.address] } });
  }
  for (const id of hosts) {
    await expect
      .poll(async () => (await admin.unary(HostServiceService.getHost, { name: `hosts/${id}` })).host?.state, {
        timeout: 10_000,
      })
      .toBe(HostState.HOST_STATE_READY);
  }
  admin.close();
  return {
    hosts,
    [Symbol.asyncDispose]: async () => {
      for (const agent of agents) agent.kill();
    },
  };
}

describe("a hub that is killed", () => {
  test("has every acknowledged host and link afterwards, and carries links on to ACTIVE", async () => {
    await using hub = await HubProcess.start();
    await using _fleet = await startFleet(hub, ["alpha", "beta"], 40);
    const admin = await hub.connect();
    const acknowledged = { hosts: [] as string[], links: [] as string[], operations: [] as string[] };
    let index = 0;
    const burst = async (): Promise<void> => {
      for (;;) {
        index += 1;
        const mine = index;
        if (mine >= 40) return;
        const host = CreateHostRequest.fromPartial({ hostId: `h${mine}` });
        await admin.unary(HostServiceService.createHost, host);
        acknowledged.hosts.push(`hosts/h${mine}`);
        const spec = { a: `hosts/alpha/lans/lan${mine}`, b: `hosts/beta/lans/lan${mine}` };
        const link = CreateLinkRequest.fromPartial({ linkId: `l${mine}`, link: { spec } });
        const { operation } = await admin.unary(LinkServiceService.createLink, link);
        acknowledged.links.push(`links/l${mine}`);
        acknowledged.operations.push(operation?.name ?? "");
        if (acknowledged.links.length === 12) void hub.kill();
      }
    };
    const outcomes = await Promise.allSettled([burst(), burst(), burst()]);
    await hub.kill();
    admin.close();
    // The kill must have come in the middle of the burst for this to prove anything.
    expect(outcomes.some(({ status }) => status === "rejected")).toBe(true);
    expect(acknowledged.links.length).toBeGreaterThanOrEqual(12);

    await hub.run();
    const again = await hub.connect();
    const { hosts } = await again.unary(HostServiceService.listHosts, ListHostsRequest.fromPartial({}));
    expect(hosts.map(({ name }) => name)).toEqual(expect.arrayContaining(acknowledged.hosts));
    const links = async () => (await again.unary(LinkServiceService.listLinks, ListLinksRequest.fromPartial({}))).links;
    expect((await links()).map(({ name }) => name)).toEqual(expect.arrayContaining(acknowledged.links));
    for (const name of acknowledged.operations) {
      expect((await again.unary(OperationServiceService.getOperation, { name })).operation?.name).toBe(name);
    }
    await expect
      .poll(async () => (await links()).filter(({ status }) => status?.state !== LinkState.LINK_STATE_ACTIVE).length, {
        timeout: 20_000,
      })
      .toBe(0);
    again.close();
  });

  test("is found again by a watcher, which gets a reset and everything anew", async () => {
    await using hub = await HubProcess.start();
    await using _fleet = await startFleet(hub, ["alpha"], 3);
    const admin = await hub.connect();
    let position: WatchPosition | undefined;
    const watching = (async () => {
      for await (const step of admin.stream(WatchServiceService.watch, WatchRequest.fromPartial({}))) {
        if (step.step?.$case === "snapshotEnd") {
          position = step.position;
          void hub.kill();
        }
      }
    })();
    await expect(watching).rejects.toMatchObject({ reason: "NO_CONNECTION" });
    await hub.run();
    const lans = new Set<string>();
    let resets = 0;
    for await (const { step } of admin.stream(WatchServiceService.watch, WatchRequest.fromPartial({ position }))) {
      if (step?.$case === "reset") resets += 1;
      if (step?.$case === "upsert" && step.value.resource?.$case === "lan") lans.add(step.value.resource.value.name);
      if (lans.size === 3) break;
    }
    expect(resets).toBe(1);
    admin.close();
  });
});
