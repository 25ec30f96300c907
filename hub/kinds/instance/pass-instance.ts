import { failedPrecondition } from "../../../lib/errors.js";
import type { OperationContext } from "../../../lib/operations.js";
import { Pace } from "../../../lib/pace.js";
import {
  InstanceTransferServiceService as methods,
  type ReceiveInstanceRequest,
} from "../../../proto/gen/zor/agent/v1/instance_transfer_service.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { ReadyAgent } from "../../fleet/session.js";
import { ofHost } from "../../kit/of-host.js";
import { mib } from "../../kit/sent-words.js";

/** A clone that was asked for. */
export interface AskedClone {
  /** Name of the instance. */
  readonly name: string;
  /** Id of the host that it is made on. */
  readonly to: string;
  readonly instanceId: string;
  readonly keepAddresses: boolean;
  readonly leaveStopped: boolean;
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number;
  readonly caller: string;
}

/** A host with its agent. */
interface End {
  readonly host: string;
  readonly agent: ReadyAgent;
}

/** What goes from host to host. */
export interface PassedInstance {
  readonly source: End;
  readonly receiver: End;
  readonly instance: Instance;
  readonly asked: AskedClone;
  /** Name of the operation. */
  readonly operation: string;
}

/**
 * Has one host make what another one reads of an instance: it is asked first whether it could, and neither is read faster than the other
 * takes it. On error or abort nothing is left on either. @throws {ZorError}
 */
export async function passInstance(
  { source, receiver, instance, asked, operation }: PassedInstance,
  { signal, progress }: OperationContext,
): Promise<Instance> {
  const abort = new AbortController();
  const whole = AbortSignal.any([signal, source.agent.signal, receiver.agent.signal, abort.signal]);
  const ready = Promise.withResolvers<void>();
  // Nobody waits for it any more when the stream has ended before.
  ready.promise.catch(() => undefined);
  let failure: unknown;
  const { instanceId, keepAddresses, leaveStopped, caller } = asked;
  const bytesPerSecond = BigInt(asked.bytesPerSecond);
  const requests = async function* (): AsyncIterable<ReceiveInstanceRequest> {
    const begin = { instance, instanceId, keepAddresses, leaveStopped, bytesPerSecond, caller };
    yield { message: { $case: "begin", value: begin } };
    await ready.promise;
    try {
      const id = instance.name.slice(instance.name.lastIndexOf("/") + 1);
      progress(`hosts/${source.host}: copying its disks aside`, 41);
      const pace = new Pace(asked.bytesPerSecond);
      const [request, options] = [{ instanceId: id, operation, bytesPerSecond }, { signal: whole }];
      let [bytes, wholeBytes] = [0, 0];
      for await (const { part } of source.agent.connection.stream(methods.readInstance, request, options)) {
        if (part === undefined) continue;
        yield { message: { $case: "part", value: part } };
        if (part.part?.$case === "begin") {
          wholeBytes = part.part.value.files.reduce((sum, { sizeBytes }) => sum + Number(sizeBytes), 0);
        }
        const length = part.part?.$case === "data" ? part.part.value.length : 0;
        bytes += length;
        const percent = 45 + (40 * bytes) / Math.max(1, wholeBytes);
        progress(`hosts/${receiver.host}: ${mib(bytes)} of ${mib(wholeBytes)} MiB`, Math.min(85, percent));
        await pace.after(length, whole);
      }
    } catch (error) {
      // What the source fails with is the cause; the other one only learns that nothing more comes.
      failure = error;
      abort.abort();
      throw error;
    }
  };
  try {
    const answers = receiver.agent.connection.bidi(methods.receiveInstance, requests(), { signal: whole });
    for await (const { message } of answers) {
      if (message?.$case === "ready") ready.resolve();
      if (message?.$case === "step") progress(`hosts/${receiver.host}: ${message.value.slice(0, 200)}`, 90);
      if (message?.$case === "instance") return message.value;
    }
    const why = `hosts/${receiver.host} ended the clone of ${instance.name} before it was whole`;
    throw failedPrecondition("CLONE_CUT", instance.name, why);
  } catch (error) {
    throw ofHost(ofHost(failure ?? error, source.agent, source.host), receiver.agent, receiver.host);
  } finally {
    ready.reject(new Error("the clone has ended"));
    abort.abort();
  }
}
