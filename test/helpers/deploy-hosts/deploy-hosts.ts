import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTag } from "../run-tag.js";
import { type DebianRelease, debianTree } from "./debian-tree.js";
import { DeployHost } from "./deploy-host.js";
import { LabNetwork } from "./lab-network.js";

/** What is started. */
export interface DeployHostsOptions {
  /** How many hosts. */
  readonly count: number;
  /** Top folder of the clone that keeps their Debian; default: this one. */
  readonly project?: string;
  /** Which Debian they are; default: 12. */
  readonly release?: DebianRelease;
}

/**
 * Servers as people have them, to install on: a network of the test's own with Debian hosts "h1", "h2", … The test's process is a machine
 * of that network until the hosts are disposed of.
 */
export class DeployHosts implements AsyncDisposable {
  readonly hosts: readonly DeployHost[];
  readonly lab: LabNetwork;
  readonly #directory: string;

  private constructor(lab: LabNetwork, directory: string, hosts: readonly DeployHost[]) {
    this.lab = lab;
    this.#directory = directory;
    this.hosts = hosts;
  }

  static async start({ count, project, release }: DeployHostsOptions): Promise<DeployHosts> {
    const tree = await debianTree(project, release);
    const directory = await mkdtemp(join(tmpdir(), `${runTag}-hosts-`));
    const lab = await LabNetwork.make();
    const hosts: DeployHost[] = [];
    const all = new DeployHosts(lab, directory, hosts);
    try {
      for (let at = 1; at <= count; at += 1) {
        const name = `h${at}`;
        hosts.push(await DeployHost.make({ lab, tree, directory: join(directory, name), name }));
      }
      await Promise.all(hosts.map((host) => host.boot()));
      lab.enter();
      return all;
    } catch (error) {
      await all[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** One of them; the first is 0. */
  at(index: number): DeployHost {
    const host = this.hosts[index];
    if (host === undefined) throw new Error(`there is no host ${index}`);
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.lab.leave();
    for (const host of this.hosts) await host[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
