import { readFile } from "node:fs/promises";
import { run } from "../../../agent/host/exec.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { CreateInstanceRequest, InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { CreateWireRequest, WireServiceService } from "../../../proto/gen/zor/v1/wire_service.js";
import { eventually } from "../../helpers/eventually.js";
import { AgentProcess } from "../../integration/agent/agent-process.js";

/** A real agent with two containers that a wire joins. */
export class CaptureRig implements AsyncDisposable {
  readonly connection: Connection;
  readonly host: string;
  readonly wire: string;
  readonly #agent: AgentProcess;
  #pids: readonly number[] = [];

  private constructor(agent: AgentProcess, connection: Connection) {
    this.#agent = agent;
    this.connection = connection;
    this.host = agent.host;
    this.wire = `hosts/${agent.host}/wires/w1`;
  }

  static async start(): Promise<CaptureRig> {
    const agent = await AgentProcess.create();
    try {
      await agent.start();
      const rig = new CaptureRig(agent, await agent.connect());
      await rig.#make();
      return rig;
    } catch (error) {
      await agent.destroy();
      throw error;
    }
  }

  /** What a program prints that runs in the network of one of the containers. */
  async run(container: 0 | 1, argv: readonly string[]): Promise<string> {
    const entered = ["-t", `${this.#pids[container] ?? 0}`, "-n", ...argv];
    return (await run("nsenter", entered, { timeoutMs: 120_000 })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.close();
    await this.#agent.destroy();
  }

  async #make(): Promise<void> {
    const parent = `hosts/${this.host}`;
    for (const [index, id] of ["a", "b"].entries()) {
      const nics = [{ name: "eth1", addresses: [`10.61.9.${index + 1}/24`] }];
      const instance = Instance.fromJSON({ spec: { crun: { rootfs: "micro" }, nics } });
      const request = CreateInstanceRequest.fromPartial({ parent, instanceId: id, instance });
      const { operation } = await this.connection.unary(InstanceServiceService.createInstance, request);
      const wait = { name: operation?.name ?? "", timeout: { seconds: 60n, nanos: 0 } };
      const { operation: ended } = await this.connection.unary(OperationServiceService.waitOperation, wait, {
        timeoutMs: 70_000,
      });
      if (ended?.state !== OperationState.OPERATION_STATE_SUCCEEDED)
        throw new Error(`container ${id}: ${ended?.error?.message ?? "not made in time"}`);
    }
    this.#pids = await Promise.all(["a", "b"].map((id) => this.#pidOf(`${parent}/instances/${id}`)));
    const [a, b] = ["a", "b"].map((id) => `${parent}/instances/${id}/nics/eth1`);
    const wire = CreateWireRequest.fromPartial({ parent, wireId: "w1", wire: { spec: { a: a ?? "", b: b ?? "" } } });
    await this.connection.unary(WireServiceService.createWire, wire, { timeoutMs: 30_000 });
    await eventually(async () => void (await this.run(0, ["ping", "-c", "1", "-W", "1", "10.61.9.2"])));
  }

  async #pidOf(name: string): Promise<number> {
    const { instance } = await this.connection.unary(InstanceServiceService.getInstance, { name });
    const pid = Number(instance?.status?.pid ?? 0n);
    await readFile(`/proc/${pid}/stat`);
    return pid;
  }
}
