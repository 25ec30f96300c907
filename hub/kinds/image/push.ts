import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { invalidArgument, invalidFields, ZorError } from "../../../lib/errors.js";
import type { CallContext } from "../../../lib/grpc/service.js";
import { pack } from "../../../lib/kinds/resource.js";
import { parseHost, parseId, parseOnHost } from "../../../lib/names.js";
import type { OperationContext } from "../../../lib/operations.js";
import type { Any } from "../../../proto/gen/google/protobuf/any.js";
import type { Image } from "../../../proto/gen/zor/v1/image.js";
import {
  ImageServiceService as service,
  type PushImageRequest,
  type PushImageResponse,
} from "../../../proto/gen/zor/v1/image_service.js";
import { ImageTransferServiceService } from "../../../proto/gen/zor/agent/v1/image_transfer_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { findLie } from "../../fleet/credible.js";
import type { HubParts } from "../../kit/hub-kind.js";
import type { OperationWork } from "../../kit/hub-operations.js";
import { mutate } from "../../kit/mutate.js";
import { splitAddress } from "../../kit/split-address.js";
import { ofHost } from "../../kit/of-host.js";
import { copyImage } from "../../kit/copy-image.js";
import type { PushRecord, PushRecords } from "./push-records.js";
import { mib, sentWords } from "../../kit/sent-words.js";

const maxTargets = 100;
/** A host that is lost meanwhile is waited for so long; a restarted agent is back within seconds. */
const patienceMs = 10 * 60_000;
const retryMs = 500;
/** Tried at once by whoever reads directly. */
const maxAddresses = 16;

/** Copies images from host to host. */
export class ImagePushes implements OperationWork {
  readonly #parts: HubParts;
  readonly #records: PushRecords;

  constructor(parts: HubParts, records: PushRecords) {
    this.#parts = parts;
    this.#records = records;
  }

  /** Begins a push. @throws {ZorError} and then nothing has begun. */
  async push(request: PushImageRequest, context: CallContext): Promise<PushImageResponse> {
    const { store, requests, operations, fleet } = this.#parts;
    const record = { ...toRecord(request), caller: context.caller.identity };
    fleet.agent(parseOnHost("name", request.name, "images").host);
    for (const target of record.targets) fleet.agent(parseHost("targets", target));
    const verb = "image.push";
    const target = request.name;
    return mutate({ store, requests, method: service.pushImage, request, context }, async (commit) => {
      if (request.validateOnly) return { operation: checkedOperation(verb, target) };
      const planned = { verb, target, requestId: request.requestId, caller: record.caller };
      let name = "";
      return operations.begin(
        planned,
        (changes, operation) => {
          ({ name } = operation);
          return commit([...changes, this.#records.planPut(name, record)], { operation });
        },
        () => this.#records.keep(name, record),
      );
    });
  }

  isPending({ name }: Operation): boolean {
    return this.#records.find(name) !== undefined;
  }

  isDone(): boolean {
    return false;
  }

  /** Copies to one host after the other. What came to a host when a later one fails stays there: it is whole. */
  async run({ name }: Operation, context: OperationContext): Promise<Any | undefined> {
    const record = this.#records.find(name);
    if (record === undefined) return undefined;
    try {
      let image: Image | undefined;
      for (const [index, target] of record.targets.entries())
        image = await this.#pushTo(target, index / record.targets.length, { record, context });
      await this.#records.forget(name);
      return image === undefined ? undefined : pack({ kind: "image", value: image });
    } catch (error) {
      // Goes on in the next run of the hub.
      if (!this.#parts.stop.aborted) await this.#records.forget(name);
      throw error;
    }
  }

  async #pushTo(
    target: string,
    done: number,
    { record, context }: { readonly record: PushRecord; readonly context: OperationContext },
  ): Promise<Image> {
    const { fleet } = this.#parts;
    const from = parseOnHost("name", record.name, "images");
    const to = parseHost("targets", target);
    const { signal } = context;
    const share = 1 / record.targets.length;
    let heardMs = performance.now();
    for (;;) {
      try {
        context.progress(`${target}: comparing what is there`, 100 * done);
        const [source, receiver] = [fleet.agent(from.host), fleet.agent(to)];
        const image = await copyImage({
          ...{ source, target: receiver, sourceId: from.id, imageId: record.imageId, caller: record.caller },
          ...{ bytesPerSecond: record.bytesPerSecond, signal },
          direct: record.throughHub ? undefined : { from: from.host, to, addresses: this.#addressesOf(from.host) },
          progress: ({ sentBytes, missingBytes, wholeBytes, way }) => {
            heardMs = performance.now();
            const there = `${mib(wholeBytes - missingBytes)} MiB were there`;
            const step = sentWords(target, { sent: sentBytes, of: mib(missingBytes) }, ` ${way}, ${there}`);
            context.progress(step, 100 * (done + (share * sentBytes) / Math.max(1, missingBytes)));
          },
        }).catch((error: unknown) => {
          throw ofHost(ofHost(error, source, from.host), receiver, to);
        });
        const lie = findLie(to, { kind: "image", value: image });
        if (lie === undefined) return image;
        throw new ZorError({
          reason: "HOST_NOT_BELIEVED",
          code: status.DATA_LOSS,
          message: `${target}: the answer of its agent was refused (${lie})`,
          resource: target,
        });
      } catch (error) {
        const isLost = isAway(error) && performance.now() - heardMs < patienceMs;
        if (signal.aborted || !isLost) {
          if (!this.#parts.stop.aborted) await this.#drop(to, from, record);
          throw error;
        }
        context.progress(`${target}: waiting for a host that does not answer`, 100 * done);
        await sleep(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Where the agent of a host may be reached by others: as the hub dials it, at its addresses for cables and at those that the hub has. */
  #addressesOf(host: string): readonly string[] {
    const { addresses = [], underlayAddresses = [] } = this.#parts.inventory.log.find("host", `hosts/${host}`) ?? {};
    const ports = [...new Set(addresses.map((address) => splitAddress(address).port))];
    const others = ports.flatMap((port) =>
      underlayAddresses.map((address) => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`)),
    );
    return [...new Set([...others, ...addresses])].slice(0, maxAddresses);
  }

  /** What was begun is taken back; a host that is not there does it by itself within the hour. */
  async #drop(to: string, from: { readonly host: string; readonly id: string }, record: PushRecord): Promise<void> {
    const agent = this.#parts.fleet.findReady(to);
    const digest = this.#parts.inventory.log.find("image", record.name)?.status?.digest ?? "";
    if (agent === undefined || digest === "" || from.host === to) return;
    await agent.connection
      .unary(ImageTransferServiceService.dropImage, { digest }, { timeoutMs: 5000 })
      .catch(() => undefined);
  }
}

function toRecord({
  name,
  targets,
  imageId,
  bytesPerSecond,
  throughHub,
}: PushImageRequest): Omit<PushRecord, "caller"> {
  const { host, id } = parseOnHost("name", name, "images");
  if (targets.length === 0 || targets.length > maxTargets) {
    throw invalidArgument("targets", `are ${targets.length} hosts; name 1 to ${maxTargets}`);
  }
  const violations = targets.flatMap((target, index) => {
    const field = `targets[${index}]`;
    if (parseHost(field, target) === host) return [{ field, description: `${target} is where the image is` }];
    return targets.indexOf(target) === index ? [] : [{ field, description: `${target} is there twice` }];
  });
  if (bytesPerSecond < 0n) violations.push({ field: "bytes_per_second", description: "is negative" });
  if (violations.length > 0) throw invalidFields(violations);
  const wanted = imageId === "" ? id : parseId("image_id", imageId);
  return { name, targets, imageId: wanted, bytesPerSecond: Number(bytesPerSecond), throughHub };
}

function isAway(error: unknown): boolean {
  if (!(error instanceof ZorError)) return false;
  return error.code === status.UNAVAILABLE || error.code === status.CANCELLED || error.reason === "IMPORT_UNDER_WAY";
}
