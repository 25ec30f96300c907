import { basename, join } from "node:path";
import { ControlClient } from "../../../agent/engine/protocol/control-client.js";
import { type EndView, endProtocol, endSocket } from "../../../agent/engine/protocol/end-protocol.js";
import { run } from "../../../agent/host/exec.js";
import { takeDown } from "../../../deploy/demo/down.js";
import { ensureHost, ensureLan, ensureLink, waitForHost } from "../../../deploy/demo/fleet.js";
import { waitForHub } from "../../../deploy/demo/hub-client.js";
import type { DemoLayout, HostLayout } from "../../../deploy/demo/layout.js";
import { ensureNetwork } from "../../../deploy/demo/network.js";
import {
  agentProgram,
  type DemoProgram,
  findProgram,
  hubProgram,
  startProgram,
} from "../../../deploy/demo/programs.js";
import { ensureLayout } from "../../../deploy/demo/state-file.js";
import { endProcess } from "../../../lib/process.js";
import { type ReadEnd, readEnd } from "../../helpers/engine-words.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { freshName } from "../../helpers/run-tag.js";

/** Where a copy goes from and to: a namespace with an interface in a host's lan. */
export interface Station {
  readonly netns: string;
  readonly ip: string;
}

/** By id, "hub" or a host's: the top folder of the installation that it is of, when that is not this one. */
type Installations = Readonly<Record<string, string>>;

/** A real hub and two real agents in namespaces, as `zor demo up` lays them out, with a link between their lans and no guests. */
export class FaultFleet implements AsyncDisposable {
  readonly layout: DemoLayout;
  readonly #stations: TestNetns[] = [];

  readonly #agentFlags: readonly string[];
  readonly #installations: Installations;

  private constructor(layout: DemoLayout, agentFlags: readonly string[], installations: Installations) {
    this.layout = layout;
    this.#agentFlags = agentFlags;
    this.#installations = installations;
  }

  /** Brings everything up and waits until the link is active. */
  static async make({
    agentFlags = [],
    installations = {},
  }: {
    readonly agentFlags?: readonly string[];
    readonly installations?: Installations;
  } = {}): Promise<FaultFleet> {
    const fleet = new FaultFleet(await ensureLayout(freshName()), agentFlags, installations);
    try {
      await fleet.#bringUp();
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  get hosts(): readonly [HostLayout, HostLayout] {
    return this.layout.hosts;
  }

  /** The stations in the lans of both hosts. */
  get stations(): readonly [Station, Station] {
    const [a, b] = this.#stations;
    if (a === undefined || b === undefined) throw new Error("the fleet is not up");
    return [
      { netns: a.name, ip: "10.78.0.1" },
      { netns: b.name, ip: "10.78.0.2" },
    ];
  }

  /** Makes the hosts unable to reach each other but through the hub, at once. Resolves to how to end it. */
  async refuseDirect(): Promise<() => Promise<void>> {
    const [a, b] = this.hosts;
    const route = (verb: string, host: HostLayout, peer: HostLayout) =>
      run("ip", ["-n", host.namespace, "route", verb, "unreachable", `${peer.underlayAddress}/32`]);
    await Promise.all([route("add", a, b), route("add", b, a)]);
    for (const [host, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      await run("ss", ["-K", "dst", peer.underlayAddress], { netns: host.namespace });
    }
    return async () => void (await Promise.all([route("delete", a, b), route("delete", b, a)]));
  }

  /** Ends the hub as a power cut would. */
  async killHub(): Promise<void> {
    await kill(hubProgram(this.layout));
  }

  async startHub(): Promise<void> {
    await startProgram(this.#installed(hubProgram(this.layout)));
  }

  async killAgent(host: HostLayout): Promise<void> {
    await kill(agentProgram(this.layout, host));
  }

  async startAgent(host: HostLayout): Promise<void> {
    const program = this.#installed(agentProgram(this.layout, host));
    await startProgram({ ...program, argv: [...program.argv, ...this.#agentFlags] });
  }

  /** The host's end of the link as its engine tells it. */
  async end(host: HostLayout): Promise<ReadEnd> {
    const views = Promise.withResolvers<EndView | undefined>();
    const socket = join(host.state, "cable", endSocket);
    const client = await ControlClient.connect(socket, endProtocol, ({ ends }) => views.resolve(ends[0]));
    if (client === undefined) throw new Error(`no engine runs on ${host.id}`);
    try {
      await client.watch();
      const end = await Promise.race([views.promise, client.closed]);
      if (end === undefined) throw new Error(`${host.id} has no end, or its engine ended`);
      return readEnd(end);
    } finally {
      client.close();
    }
  }

  /** Waits until both ends are active. */
  async active(): Promise<void> {
    for (const host of this.hosts) {
      await eventually(async () => {
        const { phase, reason } = await this.end(host);
        if (phase !== "active") throw new Error(`${host.id} is ${phase}: ${reason}`);
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const station of this.#stations) await station[Symbol.asyncDispose]();
    await takeDown(this.layout.name, { step: (_name, work) => work(), say: () => undefined });
  }

  #installed(program: DemoProgram): DemoProgram {
    const root = this.#installations[program.id];
    const [file = "", ...argv] = program.argv;
    return root === undefined ? program : { ...program, argv: [join(root, "dist", basename(file)), ...argv] };
  }

  async #bringUp(): Promise<void> {
    const { layout } = this;
    const { signal } = new AbortController();
    await ensureNetwork(layout, signal);
    await this.startHub();
    const hub = await waitForHub(layout, 30_000, signal);
    try {
      const context = { hub, layout, signal };
      for (const host of layout.hosts) await ensureHost(context, host);
      for (const host of layout.hosts) await this.startAgent(host);
      for (const host of layout.hosts) await waitForHost(context, host);
      for (const host of layout.hosts) await ensureLan(context, host);
      for (const [index, host] of layout.hosts.entries()) await this.#addStation(host, `10.78.0.${index + 1}`);
      await ensureLink(context);
    } finally {
      hub.close();
    }
  }

  /** Plugs a namespace into the host's only lan, as nobody's port. */
  async #addStation(host: HostLayout, ip: string): Promise<void> {
    const station = await makeNetns("fs");
    this.#stations.push(station);
    const database = `--db=unix:${join(host.state, "ovs", "db.sock")}`;
    const bridge = (await run("ovs-vsctl", [database, "list-br"])).stdout.trim();
    const port = "ztstation";
    await station.ip("link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", host.switchNamespace);
    await run("ip", ["-n", host.switchNamespace, "link", "set", port, "up"]);
    await run("ovs-vsctl", [database, "add-port", bridge, port]);
    await station.ip("address", "add", `${ip}/24`, "dev", "eth0");
    await station.ip("link", "set", "eth0", "up");
  }
}

async function kill(program: DemoProgram): Promise<void> {
  const identity = await findProgram(program);
  if (identity === undefined) throw new Error(`${program.id} does not run`);
  await endProcess(identity, 0);
}
