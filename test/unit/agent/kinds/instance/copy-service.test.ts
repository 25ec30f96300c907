import { expect, it } from "vitest";
import { copyMethods } from "../../../../../agent/kinds/instance/copy-service.js";
import { alreadyExists, notFound } from "../../../../../lib/errors.js";
import { unpack } from "../../../../../lib/kinds/resource.js";
import type { Any } from "../../../../../proto/gen/google/protobuf/any.js";
import { Instance } from "../../../../../proto/gen/zor/v1/instance.js";
import { SaveInstanceRequest } from "../../../../../proto/gen/zor/v1/instance_copy_service.js";

/** Asks whether a machine could be saved as an image. @param taken ids of the host's images. */
function save(image: string, taken: Set<string>): Promise<unknown> {
  const save = { checkSave: () => Promise.resolve() };
  const access = { look: () => ({ driver: { can: { save } } }), assertUnclaimed: () => undefined };
  const reserve = (id: string) => {
    if (taken.has(id)) throw alreadyExists(id);
    taken.add(id);
    return { [Symbol.dispose]: () => taken.delete(id) };
  };
  const context = { access, scope: { parse: () => "m1" }, savedImages: { get: () => ({ reserve }) } };
  const { handlers } = copyMethods(context as unknown as Parameters<typeof copyMethods>[0]) as unknown as {
    handlers: { saveInstance: (request: SaveInstanceRequest, context: object) => Promise<unknown> };
  };
  const request = SaveInstanceRequest.fromPartial({ name: "m1", image, validateOnly: true });
  return handlers.saveInstance(request, { caller: { identity: "user/ana" } });
}

it("saves under a name that is free, and lets go of it when it only asked", async () => {
  const taken = new Set<string>();
  await expect(save("golden", taken)).resolves.toHaveProperty("operation");
  expect(taken).toEqual(new Set());
});

it("puts no image before another of its name", async () => {
  await expect(save("golden", new Set(["golden"]))).rejects.toMatchObject({ reason: "ALREADY_EXISTS" });
});

it("is told a name that is one", async () => {
  await expect(save("../golden", new Set())).rejects.toMatchObject({ violations: [{ field: "image" }] });
});

it("has succeeded once the image is there, though the instance is deleted right after", async () => {
  let isThere = true;
  const subject = {
    resource: Instance.fromPartial({ name: "hosts/h1/instances/m1", spec: {} }),
    driver: { can: { save: { checkSave: () => Promise.resolve(), saveImage: () => Promise.resolve() } } },
  };
  const access = {
    look: () => {
      if (!isThere) throw notFound("hosts/h1/instances/m1");
      return subject;
    },
    assertUnclaimed: () => undefined,
    claim: (_id: string, _claim: unknown, work: (claimed: object) => Promise<unknown>) =>
      work({ subject: () => subject }),
    tellSaved: () => undefined,
  };
  const images = {
    reserve: () => ({ [Symbol.dispose]: () => undefined }),
    nameOf: (id: string) => id,
    save: async ({ write }: { write: (path: string, progress: () => void) => Promise<void> }) => {
      await write("image", () => undefined);
      isThere = false;
    },
  };
  let result: Promise<unknown> | undefined;
  const operations = {
    start: ({ work }: { work: (options: object) => Promise<unknown> }) => {
      result = work({ signal: new AbortController().signal, progress: () => undefined });
      return {};
    },
  };
  const references = { nameOf: (_kind: string, id: string) => `hosts/h1/operations/${id}` };
  const context = { access, operations, references, scope: { parse: () => "m1" }, savedImages: { get: () => images } };
  const { handlers } = copyMethods(context as unknown as Parameters<typeof copyMethods>[0]) as unknown as {
    handlers: { saveInstance: (request: SaveInstanceRequest, context: object) => Promise<unknown> };
  };
  const request = SaveInstanceRequest.fromPartial({ name: "hosts/h1/instances/m1", image: "golden" });
  await handlers.saveInstance(request, { caller: { identity: "user/ana" } });
  expect(unpack((await result) as Any)?.value.name).toBe("hosts/h1/instances/m1");
});
