import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { Bridges } from "../../../agent/network/bridges.js";
import { Switch } from "../../../agent/network/ovs/switch.js";
import { Ports } from "../../../agent/network/ports.js";
import { createLog } from "../../../lib/log.js";
import { findProcesses } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import { freshName } from "../../helpers/run-tag.js";

/** Flows are looked at more often than by an agent: nobody wants to wait for it. */
const lookMs = 500;

/** A switch of its own for one test, as an agent has it; can be closed and opened again like a restarted agent. */
export class NetworkFixture {
  readonly log = createLog("test", { write: () => undefined });

  readonly stateDirectory: string;
  readonly netns: string;
  readonly agentUid: string;
  sw: Switch;
  lans: Bridges;
  ports: Ports;
  readonly #holdsBack: boolean;

  private constructor(
    parts: Pick<NetworkFixture, "stateDirectory" | "netns" | "agentUid" | "sw" | "lans" | "ports">,
    holdsBack: boolean,
  ) {
    this.#holdsBack = holdsBack;
    this.stateDirectory = parts.stateDirectory;
    this.netns = parts.netns;
    this.agentUid = parts.agentUid;
    this.sw = parts.sw;
    this.lans = parts.lans;
    this.ports = parts.ports;
  }

  /** @param holdsBack the switch forwards only when flows are settled, as an agent's does. */
  static async open({ holdsBack = false } = {}): Promise<NetworkFixture> {
    const stateDirectory = await mkdtemp(join(tmpdir(), "zt-net-"));
    const netns = freshName();
    const agentUid = `agent-${netns}`;
    const log = createLog("test", { write: () => undefined });
    const { signal } = new AbortController();
    const sw = await Switch.open({ stateDirectory, agentUid, netns, holdsBack, log, signal });
    const lans = new Bridges({ switch: sw, log, lookMs });
    const ports = new Ports({ netns, agentUid, datapath: sw.datapath, segments: lans.segments });
    return new NetworkFixture({ stateDirectory, netns, agentUid, sw, lans, ports }, holdsBack);
  }

  /** What a restart of the agent does. */
  async reopen(): Promise<void> {
    this.lans.close();
    await this.sw.close();
    const { stateDirectory, agentUid, netns, log } = this;
    const { signal } = new AbortController();
    this.sw = await Switch.open({ stateDirectory, agentUid, netns, holdsBack: this.#holdsBack, log, signal });
    this.lans = new Bridges({ switch: this.sw, log, lookMs });
    this.ports = new Ports({ netns, agentUid, datapath: this.sw.datapath, segments: this.lans.segments });
  }

  /** A container's namespace with one interface, plugged into a lan; resolves to the namespace. */
  async plugContainer(instanceUid: string, lan: string, address: string): Promise<{ netns: string; port: string }> {
    const mac = `02:00:00:${[...Buffer.from(instanceUid.padStart(3, "0").slice(-3))].map((byte) => byte.toString(16)).join(":")}`;
    const netns = await this.ports.ensureContainerNetns(instanceUid);
    const port = await this.ports.ensureVeth({
      instanceUid,
      nicIndex: 0,
      nic: "eth0",
      mac,
      mtu: 1500,
      addresses: [address],
    });
    await this.lans.plug({ lan, port, endpoint: `hosts/t/instances/${instanceUid}/nics/eth0` });
    return { netns, port };
  }

  /** Runs ovs-vsctl against this switch. */
  async vsctl(...argv: string[]): Promise<string> {
    const db = `--db=unix:${join(this.stateDirectory, "ovs", "db.sock")}`;
    return (await run("ovs-vsctl", [db, ...argv])).stdout.trim();
  }

  /** Removes everything and proves that nothing is left. */
  async destroy(): Promise<void> {
    this.lans.close();
    const owned = await this.ports.listOwned();
    for (const { port } of owned.ports) await this.ports.removePort(port);
    for (const netns of owned.netns) await this.ports.removeNetnsNamed(netns);
    await this.sw.destroy();
    await rm(this.stateDirectory, { recursive: true, force: true });
    expect((await readdir("/run/netns")).filter((name) => name.startsWith(this.netns))).toEqual([]);
    const ours = async () => findProcesses((argv) => argv.some((word) => word.includes(this.stateDirectory)));
    await eventually(async () => expect(await ours()).toEqual([]));
  }
}

/** Pings until one answer comes. */
export async function ping(netns: string, address: string): Promise<void> {
  await eventually(() => run("ping", ["-c", "1", "-W", "1", "-n", address], { netns }));
}

/** Whether no ping is answered within a second. */
export async function isSilent(netns: string, address: string): Promise<boolean> {
  return (
    (await run("ping", ["-c", "3", "-i", "0.2", "-W", "1", "-n", address], { netns, acceptedExitCodes: [0, 1] }))
      .exitCode === 1
  );
}

/** Waits for a condition. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  await eventually(async () => {
    if (!(await condition())) throw new Error(`waited in vain for ${what}`);
  });
}
