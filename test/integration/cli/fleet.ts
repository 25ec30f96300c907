import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AnyResource } from "../../../lib/kinds/resource.js";
import { Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { InProcessHub } from "../../helpers/in-process-hub.js";
import { TestIdentities } from "../../helpers/test-identities.js";
import { type CliOptions, type CliResult, CliRun } from "../../helpers/zor-cli.js";

/** Two hosts with an instance and a lan each, on a hub in this process, and zor with a context that leads there. */
export class CliFleet implements AsyncDisposable {
  readonly hub: InProcessHub;
  readonly configDirectory: string;
  readonly #directory: string;

  private constructor(directory: string, hub: InProcessHub) {
    this.#directory = directory;
    this.configDirectory = join(directory, "config");
    this.hub = hub;
  }

  /** @param services full names of more services, of kinds that are nothing but records. */
  static async create(services: readonly string[] = []): Promise<CliFleet> {
    const directory = await mkdtemp(join(tmpdir(), "zt-cli-"));
    const identities = await TestIdentities.create(directory);
    const { identity } = await identities.issue({ kind: "hub", id: "test", role: Role.ROLE_ADMIN });
    const hub = new InProcessHub(identity, services);
    await hub.start();
    const fleet = new CliFleet(directory, hub);
    for (const [name, role] of [
      ["admin", Role.ROLE_ADMIN],
      ["viewer", Role.ROLE_VIEWER],
    ] as const) {
      const { directory: identityDirectory } = await identities.issue({ kind: "user", id: name, role });
      const context = { name, addresses: [hub.address], serverName: "hub.zor", identityDirectory };
      await saveContext(fleet.configDirectory, context, name === "admin");
    }
    for (const host of ["alpha", "beta"]) hub.put(...hostWithOneOfEach(host));
    return fleet;
  }

  env(): Record<string, string> {
    return { ZOR_CONFIG: this.configDirectory };
  }

  /** Runs a command line to its end. */
  zor(argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    return this.run(argv, options).result;
  }

  /** Begins a command line. */
  run(argv: readonly string[], options: CliOptions = {}): CliRun {
    return new CliRun(argv, { ...options, env: { ...this.env(), ...options.env } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hub.stop();
    await rm(this.#directory, { recursive: true });
  }
}

function hostWithOneOfEach(host: string): AnyResource[] {
  const name = `hosts/${host}`;
  return [
    {
      kind: "host",
      value: Host.fromPartial({
        name,
        state: HostState.HOST_STATE_READY,
        summary: { instances: { RUNNING: 1 }, lans: 1 },
      }),
    },
    { kind: "lan", value: Lan.fromPartial({ name: `${name}/lans/lan1`, spec: { mtu: 1500 } }) },
    {
      kind: "instance",
      value: Instance.fromPartial({
        name: `${name}/instances/vm1`,
        spec: {
          cpus: 1,
          memoryMib: 256n,
          nics: [{ name: "eth0", lan: "lan1" }],
          driver: { $case: "qemu", value: { kernel: "micro" } },
        },
        status: { state: InstanceState.INSTANCE_STATE_RUNNING, pid: 4242n, startTime: new Date() },
      }),
    },
  ];
}
