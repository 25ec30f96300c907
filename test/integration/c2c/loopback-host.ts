import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CableManager } from "../../../agent/kinds/link-end/cable-manager.js";
import { createLog } from "../../../lib/log.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { readEnd, type ReadEnd } from "../../helpers/engine-words.js";

/** One host whose data port is on loopback, so that a test can be the other host itself. Its lan takes every tap. */
export class LoopbackHost {
  private constructor(
    readonly cables: CableManager,
    readonly stateDirectory: string,
    readonly warnings: readonly string[],
    readonly lan: TestNetns,
  ) {}

  static async make(): Promise<LoopbackHost> {
    const stateDirectory = await mkdtemp(join(tmpdir(), "zt-c2c-"));
    const lan = await makeNetns("cl");
    const warnings: string[] = [];
    const plugged = new Map<string, string>();
    const lans = () => [{ ports: [...plugged].map(([port, endpoint]) => ({ port, endpoint, error: "" })) }];
    const cables = await CableManager.open(
      {
        stateDirectory,
        cableListen: "127.0.0.1:0",
        netns: lan.name,
        allowPlainLinks: true,
        plugger: {
          plug: async ({ port, endpoint }) => void plugged.set(port, endpoint),
          unplug: async (port) => void plugged.delete(port),
          find: () => lans()[0],
          list: lans,
          onChange: () => () => undefined,
        },
        log: createLog("test", { write: (line: string) => void warnings.push(line) }),
      },
      new AbortController().signal,
    );
    return new LoopbackHost(cables, stateDirectory, warnings, lan);
  }

  /** "ip:port" of the data port. */
  get address(): string {
    return `127.0.0.1:${this.cables.identity().port}`;
  }

  /** The end of "links/demo". */
  end(): ReadEnd {
    const end = this.cables.list().find(({ status }) => status.link === "links/demo");
    if (end === undefined) throw new Error("there is no end");
    return readEnd(end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cables.destroy();
    await this.lan[Symbol.asyncDispose]();
    await rm(this.stateDirectory, { recursive: true, force: true });
  }
}
