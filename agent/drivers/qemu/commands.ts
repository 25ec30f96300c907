import { startTimeOf } from "../../../lib/process.js";
import type { FromServer } from "../../network/socket-stream.js";
import type { Connectable } from "../abilities/connect.js";
import type { Detachable } from "../abilities/detach.js";
import type { CallOptions, DriverInstance, ExecCommand, ExecOutput, Executable, RecoveryHandle } from "../driver.js";
import type { Machine } from "./machine.js";
import type { GuestAgent } from "./guest-agent.js";
import { connectInGuest } from "./guest-connect.js";
import { guestExec, guestExecDetached } from "./guest-exec.js";

/** How long a command waits for a guest agent that may be about to answer. */
const agentWaitMs = 1500;
/** How long a guest agent that has answered before may take to say that it is there. */
const agentPingMs = 5000;

/** Finds the machine of an instance. */
interface MachineFinder {
  machineOf(instance: DriverInstance): Machine;
}

/** Runs commands in machines, through their guest agents. */
export class MachineCommands implements Executable, Detachable, Connectable {
  readonly #machines: MachineFinder;

  constructor(machines: MachineFinder) {
    this.#machines = machines;
  }

  async *exec(
    instance: DriverInstance,
    handle: RecoveryHandle,
    command: ExecCommand,
    { signal, resizes }: Parameters<Executable["exec"]>[3],
  ): AsyncGenerator<ExecOutput> {
    const agent = await this.guestAgent(instance, handle, signal);
    yield* guestExec(agent, command, { signal, resizes, resource: instance.name });
  }

  async execDetached(
    instance: DriverInstance,
    handle: RecoveryHandle,
    command: Parameters<Detachable["execDetached"]>[2],
    { signal }: CallOptions,
  ): Promise<number> {
    const agent = await this.guestAgent(instance, handle, signal);
    return guestExecDetached(agent, command, { signal, resource: instance.name });
  }

  connect(
    instance: DriverInstance,
    handle: RecoveryHandle,
    to: Parameters<Connectable["connect"]>[2],
    options: CallOptions,
  ): AsyncIterable<FromServer> {
    return connectInGuest((command) => this.exec(instance, handle, command, options), to, instance.name);
  }

  /** What it adds to the driver's abilities. */
  get abilities(): { readonly detach: MachineCommands; readonly connect: MachineCommands } {
    return { detach: this, connect: this };
  }

  /** A guest agent that answers. @throws {ZorError} */
  async guestAgent(instance: DriverInstance, handle: RecoveryHandle, signal: AbortSignal): Promise<GuestAgent> {
    const machine = this.#machines.machineOf(instance);
    await machine.assertNotPaused();
    await machine.waitForAgent(agentWaitMs, signal);
    const agent = await machine.guestAgent(await startTimeOf(handle));
    // A guest that hangs keeps its agent's port open: that must not take as long as the longest command of the agent.
    await agent.execute("guest-ping", {}, agentPingMs);
    return agent;
  }
}
