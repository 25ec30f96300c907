import { open } from "node:fs/promises";
import { status } from "@grpc/grpc-js";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { invalidArgument, ZorError } from "../../../lib/errors.js";
import { pack } from "../../../lib/kinds/resource.js";
import { parseId } from "../../../lib/names.js";
import type { Operations } from "../../../lib/operations.js";
import type { Image } from "../../../proto/gen/zor/v1/image.js";
import {
  type ExportImageRequest,
  type ExportImageResponse,
  ImageServiceService,
} from "../../../proto/gen/zor/v1/image_service.js";
import { serve, type ServiceMethods } from "../../kit/serve.js";
import { standardMethods } from "../../kit/standard-methods.js";
import type { ImageBuilder } from "./build.js";
import { type ImportOptions, importImage, importKey } from "./import-service.js";

/** What the methods about images work with. */
export interface ImageServiceOptions extends ImportOptions {
  readonly operations: Operations;
  readonly builder: ImageBuilder;
}

const exportBytes = 256 * 1024;

/** The methods about images. */
export function imageMethods(options: ImageServiceOptions): readonly ServiceMethods[] {
  const { images, incoming, scope, operations, builder } = options;
  const standard = standardMethods<Image>(
    "image",
    {
      create: () => Promise.reject(new Error("images are imported, pushed or built")),
      get: (id) => images.get(id),
      list: () => images.list(),
      update: (id, asked, change) => images.update(id, asked, change),
      delete: (id, change) => images.delete(id, change),
    },
    scope,
  );
  const others = serve(ImageServiceService, {
    importImage: (requests, context) => importImage(options, requests, context),
    abortImport: async ({ parent, uploadId, validateOnly }, { caller }) => {
      scope.parseSelf("parent", parent);
      parseId("upload_id", uploadId);
      if (!validateOnly) await incoming.drop(importKey(caller.identity, uploadId));
      return {};
    },
    exportImage: (request) => exportImage(options, request),
    verifyImage: async ({ name, requestId, validateOnly }, { caller }) => {
      const id = scope.parse("image", "name", name);
      images.pathOf(id);
      const verb = "image.verify";
      if (validateOnly) return { operation: checkedOperation(verb, name) };
      const { identity } = caller;
      const operation = operations.start({
        ...{ verb, target: name, requestId, caller: identity },
        work: async ({ signal, progress }) =>
          pack({ kind: "image", value: await images.verify(id, { signal, progress, caller: identity }) }),
      });
      return { operation };
    },
    pruneImages: async ({ parent, validateOnly }, { caller }) => {
      scope.parseSelf("parent", parent);
      const gone = await images.prune({ validateOnly, caller: caller.identity });
      const contents = new Map(gone.map(({ sha256, sizeBytes }) => [sha256, sizeBytes]));
      const freed = [...contents.values()].reduce((sum, bytes) => sum + bytes, 0);
      return { names: gone.map(({ id }) => images.nameOf(id)), freedBytes: BigInt(freed) };
    },
    pushImage: async () => {
      throw new ZorError({
        reason: "HUB_ONLY",
        code: status.UNIMPLEMENTED,
        message: "an agent knows no other hosts; ask the hub to push an image",
      });
    },
    buildImage: async ({ parent, imageId, recipe, requestId, validateOnly }, { caller }) => {
      scope.parseSelf("parent", parent);
      const id = parseId("image_id", imageId);
      const found = await builder.find(recipe);
      const target = images.nameOf(id);
      const verb = "image.build";
      if (validateOnly) {
        images.reserve(id)[Symbol.dispose]();
        return { operation: checkedOperation(verb, target) };
      }
      const reserved = images.reserve(id);
      try {
        const operation = operations.start({
          ...{ verb, target, requestId, caller: caller.identity },
          work: async ({ signal, progress }) => {
            using _reserved = reserved;
            const image = await builder.build(found, { id, caller: caller.identity, signal, progress });
            return pack({ kind: "image", value: image });
          },
        });
        return { operation };
      } catch (error) {
        reserved[Symbol.dispose]();
        throw error;
      }
    },
  });
  return [...standard, others];
}

async function* exportImage(
  { images, scope }: ImageServiceOptions,
  { name, offset }: ExportImageRequest,
): AsyncIterable<ExportImageResponse> {
  const id = scope.parse("image", "name", name);
  images.assertWhole(id, "exported");
  await using file = await open(images.pathOf(id), "r");
  const { size } = await file.stat();
  if (offset < 0n || offset > BigInt(size)) throw invalidArgument("offset", `${offset} is not between 0 and ${size}`);
  const digest = images.get(id).status?.digest ?? "";
  yield { data: Buffer.alloc(0), sizeBytes: BigInt(size), digest };
  for (let position = Number(offset); position < size; ) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(exportBytes), 0, exportBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield { data: buffer.subarray(0, bytesRead), sizeBytes: 0n, digest: "" };
  }
}
