import { noMeta } from "../../../lib/kinds/meta.js";
import { type Fingerprint, type Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { type Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { type HostUsage, readUsage } from "../../host/resources.js";
import type { AgentContext } from "../../parts.js";

/** What this needs of the agent. */
export type HostFactsOptions = Pick<AgentContext, "settings" | "hostUid" | "references" | "remarks">;

/** What the agent tells of its own host. */
export class HostFacts {
  readonly #options: HostFactsOptions;
  #fingerprint: Fingerprint | undefined;
  #usage: HostUsage = { loadAverage: 0, memoryAvailableMib: 0 };

  constructor(options: HostFactsOptions) {
    this.#options = options;
  }

  /** Sets what the host can do, once it has been probed. */
  setFingerprint(fingerprint: Fingerprint): void {
    this.#fingerprint = fingerprint;
  }

  /** Reads load and memory again. */
  async refresh(): Promise<void> {
    this.#usage = await readUsage();
  }

  /** The host as the API shows it. */
  read(): Host {
    const { settings, hostUid, references, remarks } = this.#options;
    const { host, dialOut, listen, underlay, undialable } = settings;
    const now = new Date();
    return {
      name: `hosts/${host}`,
      uid: hostUid,
      labels: {},
      addresses: dialOut ? [] : [...listen],
      underlayAddresses: [...underlay],
      undialable,
      via: "",
      state: HostState.HOST_STATE_READY,
      reason: remarks.all().join("; "),
      lastSeenTime: now,
      lastSeenAge: { seconds: 0n, nanos: 0 },
      ...noMeta,
      createTime: undefined,
      fingerprint: this.#fingerprint,
      summary: {
        instances: countByState(references.list("instance")),
        lans: references.list("lan").length,
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
