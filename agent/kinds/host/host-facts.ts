import { noMeta } from "../../../lib/kinds/meta.js";
import { type Fingerprint, type Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { type Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import type { AgentSettings } from "../../config.js";
import { type HostUsage, readUsage } from "../../host/resources.js";

/** What the agent tells of its own host. */
export class HostFacts {
  readonly #settings: AgentSettings;
  readonly #uid: string;
  readonly #listInstances: () => readonly Instance[];
  readonly #countLans: () => number;
  #fingerprint: Fingerprint | undefined;
  #usage: HostUsage = { loadAverage: 0, memoryAvailableMib: 0 };

  readonly #remarks = new Map<string, string>();

  constructor(options: {
    readonly settings: AgentSettings;
    readonly uid: string;
    readonly listInstances: () => readonly Instance[];
    readonly countLans: () => number;
  }) {
    this.#settings = options.settings;
    this.#uid = options.uid;
    this.#listInstances = options.listInstances;
    this.#countLans = options.countLans;
  }

  /** Sets what the host can do, once it has been probed. */
  setFingerprint(fingerprint: Fingerprint): void {
    this.#fingerprint = fingerprint;
  }

  /** Something of the host that people should know although it works; empty: not any more. `about` tells remarks apart. */
  remark(about: string, text: string): void {
    if (text === "") this.#remarks.delete(about);
    else this.#remarks.set(about, text);
  }

  /** Reads load and memory again. */
  async refresh(): Promise<void> {
    this.#usage = await readUsage();
  }

  /** The host as the API shows it. */
  read(): Host {
    const { host, dialOut, listen, underlay, undialable } = this.#settings;
    const now = new Date();
    return {
      name: `hosts/${host}`,
      uid: this.#uid,
      labels: {},
      addresses: dialOut ? [] : [...listen],
      underlayAddresses: [...underlay],
      undialable,
      state: HostState.HOST_STATE_READY,
      reason: [...this.#remarks.values()].join("; "),
      lastSeenTime: now,
      lastSeenAge: { seconds: 0n, nanos: 0 },
      ...noMeta,
      createTime: undefined,
      fingerprint: this.#fingerprint,
      summary: {
        instances: countByState(this.#listInstances()),
        lans: this.#countLans(),
        loadAverage: this.#usage.loadAverage,
        memoryAvailableMib: BigInt(this.#usage.memoryAvailableMib),
      },
      agentPid: BigInt(process.pid),
      sessionRtt: undefined,
      relayedBytes: 0n,
      refusedStatements: 0n,
      lastRefusal: "",
      underlaySet: false,
    };
  }
}

function countByState(instances: readonly Instance[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of instances) {
    const name = InstanceState[status?.state ?? InstanceState.INSTANCE_STATE_UNSPECIFIED] ?? "";
    const short = name.replace(/^INSTANCE_STATE_/, "");
    counts[short] = (counts[short] ?? 0) + 1;
  }
  return counts;
}
