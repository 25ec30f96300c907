import { status } from "@grpc/grpc-js";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { failedPrecondition, notFound, ZorError } from "../../../lib/errors.js";
import type { CallContext } from "../../../lib/grpc/service.js";
import { pack } from "../../../lib/kinds/resource.js";
import { checkRate } from "../../../lib/pace.js";
import { parseHost, parseId, parseOnHost } from "../../../lib/names.js";
import type { OperationContext } from "../../../lib/operations.js";
import type { Any } from "../../../proto/gen/google/protobuf/any.js";
import { ImageServiceService } from "../../../proto/gen/zor/v1/image_service.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import {
  type CloneInstanceRequest,
  type CloneInstanceResponse,
  InstanceCopyServiceService as service,
} from "../../../proto/gen/zor/v1/instance_copy_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { findLie } from "../../fleet/credible.js";
import { copyImage } from "../../kit/copy-image.js";
import type { HubParts } from "../../kit/hub-kind.js";
import type { OperationWork } from "../../kit/hub-operations.js";
import { mutate } from "../../kit/mutate.js";
import { ofHost } from "../../kit/of-host.js";
import { mib } from "../../kit/sent-words.js";
import { type AskedClone, passInstance } from "./pass-instance.js";

/** Clones instances from host to host. A clone that the end of the hub cuts short is told as abandoned, and leaves nothing half done. */
export class InstanceClones implements OperationWork {
  readonly #parts: HubParts;
  /** By the name of the operation. */
  readonly #asked = new Map<string, AskedClone>();

  constructor(parts: HubParts) {
    this.#parts = parts;
  }

  /** Begins a clone, or has the host do it that is to have it itself. @throws {ZorError} and then nothing has begun. */
  async clone(request: CloneInstanceRequest, context: CallContext): Promise<CloneInstanceResponse> {
    const { store, requests, operations, fleet, router } = this.#parts;
    const { host } = parseOnHost("name", request.name, "instances");
    const to = request.host === "" ? host : parseHost("host", request.host);
    if (to === host)
      return await router.unary(service.cloneInstance, { host, request: { ...request, host: "" } }, context);
    const { keepAddresses, leaveStopped } = request;
    const instanceId = parseId("instance_id", request.instanceId);
    const bytesPerSecond = checkRate(request.bytesPerSecond);
    fleet.agent(host);
    fleet.agent(to);
    this.#find(request.name);
    const verb = "instance.clone";
    const target = `hosts/${to}/instances/${instanceId}`;
    return mutate({ store, requests, method: service.cloneInstance, request, context }, async (commit) => {
      if (request.validateOnly) return { operation: checkedOperation(verb, target) };
      const caller = context.caller.identity;
      const planned = { verb, target, requestId: request.requestId, caller };
      const asked = { name: request.name, to, instanceId, keepAddresses, leaveStopped, bytesPerSecond, caller };
      let name = "";
      return operations.begin(
        planned,
        (changes, operation) => {
          ({ name } = operation);
          return commit(changes, { operation });
        },
        () => this.#asked.set(name, asked),
      );
    });
  }

  isPending({ name }: Operation): boolean {
    return this.#asked.has(name);
  }

  isDone(): boolean {
    return false;
  }

  /** Pushes the images that are missing, and then has one host read and the other one take. */
  async run({ name: operation }: Operation, context: OperationContext): Promise<Any | undefined> {
    const asked = this.#asked.get(operation);
    if (asked === undefined) return undefined;
    const pushed: string[] = [];
    try {
      const instance = this.#find(asked.name);
      for (const id of this.#missingImages(instance, asked)) {
        await this.#push(id, asked, context);
        pushed.push(id);
      }
      const { host } = parseOnHost("name", asked.name, "instances");
      const { fleet } = this.#parts;
      const ends = {
        source: { host, agent: fleet.agent(host) },
        receiver: { host: asked.to, agent: fleet.agent(asked.to) },
      };
      const made = await passInstance({ ...ends, instance, asked, operation }, context);
      this.#assertBelieved(asked.to, "instance", made);
      return pack({ kind: "instance", value: made });
    } catch (error) {
      for (const id of pushed) await this.#forget(id, asked.to);
      throw error;
    } finally {
      this.#asked.delete(operation);
    }
  }

  /** Images of the store of the instance's host that its disks stand over, and that the other host does not have. */
  #missingImages({ name, spec }: Instance, { to }: AskedClone): readonly string[] {
    const { log } = this.#parts.inventory;
    const { host } = parseOnHost("name", name, "instances");
    const disks = spec?.driver?.$case === "qemu" ? spec.driver.value.disks : [];
    const images = [...new Set(disks.map(({ image }) => image).filter((image) => image !== ""))];
    return images.filter(
      (id) =>
        log.find("image", `hosts/${host}/images/${id}`) !== undefined &&
        log.find("image", `hosts/${to}/images/${id}`) === undefined,
    );
  }

  async #push(id: string, { name, to, bytesPerSecond, caller }: AskedClone, context: OperationContext): Promise<void> {
    const { fleet } = this.#parts;
    const { host } = parseOnHost("name", name, "instances");
    const [source, target] = [fleet.agent(host), fleet.agent(to)];
    context.progress(`image ${id}: comparing what is there`, 1);
    const image = await copyImage({
      ...{ source, target, sourceId: id, imageId: id, caller, bytesPerSecond },
      ...{ direct: undefined, signal: context.signal },
      progress: ({ sentBytes, missingBytes }) => {
        const part = sentBytes / Math.max(1, missingBytes);
        context.progress(`image ${id}: ${mib(sentBytes)} of ${mib(missingBytes)} MiB`, 1 + 39 * part);
      },
    }).catch((error: unknown) => {
      throw ofHost(ofHost(error, source, host), target, to);
    });
    this.#assertBelieved(to, "image", image);
  }

  /** An image that was pushed for nothing. */
  async #forget(id: string, host: string): Promise<void> {
    const name = `hosts/${host}/images/${id}`;
    const request = { name, requestId: "", validateOnly: false };
    const agent = this.#parts.fleet.findReady(host);
    await agent?.connection
      .unary(ImageServiceService.deleteImage, request, { timeoutMs: 10_000 })
      .catch(() => undefined);
  }

  #find(name: string): Instance {
    const found = this.#parts.inventory.log.find("instance", name);
    if (found === undefined) throw notFound(name, "list them with: zor get instances");
    if (found.spec !== undefined) return found;
    throw failedPrecondition("SPEC_LOST", name, `${name} has lost its specification, so nothing can be made like it`);
  }

  #assertBelieved(host: string, kind: "instance" | "image", value: Parameters<typeof findLie>[1]["value"]): void {
    const lie = findLie(host, { kind, value } as Parameters<typeof findLie>[1]);
    if (lie === undefined) return;
    const message = `hosts/${host}: the answer of its agent was refused (${lie})`;
    throw new ZorError({ reason: "HOST_NOT_BELIEVED", code: status.DATA_LOSS, message, resource: `hosts/${host}` });
  }
}
