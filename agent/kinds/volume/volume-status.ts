import { InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { VolumeState, type VolumeStatus } from "../../../proto/gen/zor/v1/volume.js";
import type { AgentContext } from "../../parts.js";
import type { Facts, MadeVolume } from "./volume-facts.js";

/** What is seen of volumes. */
export class VolumeObservations {
  readonly #context: Pick<AgentContext, "holders" | "pools" | "references">;
  /** Why the content of some cannot be had, by uid. */
  readonly #problems = new Map<string, string>();
  /** Bytes that they take, by uid, as they were looked at last. */
  readonly #allocated = new Map<string, bigint>();

  constructor(context: Pick<AgentContext, "holders" | "pools" | "references">) {
    this.#context = context;
  }

  /** Says why the content of one cannot be had; "": it can. Returns whether that is news. */
  setProblem(uid: string, problem: string): boolean {
    if ((this.#problems.get(uid) ?? "") === problem) return false;
    if (problem === "") this.#problems.delete(uid);
    else this.#problems.set(uid, problem);
    return true;
  }

  setAllocated(uid: string, bytes: bigint): void {
    this.#allocated.set(uid, bytes);
  }

  /** One is gone. */
  forget(uid: string): void {
    this.#problems.delete(uid);
    this.#allocated.delete(uid);
  }

  /** Whether a running instance has it. */
  isRunOn(id: string): boolean {
    return this.#context.holders.of(id).some(({ instance }) => this.#runs(instance));
  }

  statusOf({ id, resource: { uid, spec }, facts }: MadeVolume): VolumeStatus {
    const { holders, pools, references } = this.#context;
    const pool = pools.find(spec.pool);
    const poolReason =
      pool === undefined || pool.reason !== ""
        ? `${references.nameOf("pool", spec.pool)} is not available: ${pool?.reason ?? "it is not there"}`
        : "";
    const reason = facts === undefined ? "" : poolReason || (this.#problems.get(uid) ?? "");
    const usedBy = holders.of(id).map(({ instance, part, readOnly }) => {
      return { instance, disk: part, running: this.#runs(instance), readOnly };
    });
    const allocatedBytes = this.#allocated.get(uid) ?? 0n;
    return { state: stateOf(facts, reason, usedBy.length), reason, allocatedBytes, usedBy };
  }

  #runs(instance: string): boolean {
    const found = this.#context.references.find("instance", instance.slice(instance.lastIndexOf("/") + 1));
    const state = found?.status?.state;
    return state === InstanceState.INSTANCE_STATE_RUNNING || state === InstanceState.INSTANCE_STATE_PAUSED;
  }
}

function stateOf(facts: Facts | undefined, reason: string, users: number): VolumeState {
  if (facts === undefined) return VolumeState.VOLUME_STATE_CREATING;
  if (reason !== "") return VolumeState.VOLUME_STATE_ERROR;
  return users > 0 ? VolumeState.VOLUME_STATE_ATTACHED : VolumeState.VOLUME_STATE_READY;
}
