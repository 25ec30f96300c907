import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { copyMethods } from "../../../../../agent/kinds/instance/copy-service.js";
import { SaveInstanceRequest } from "../../../../../proto/gen/zor/v1/instance_copy_service.js";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-save-"));
  for (const name of ["state/images", "state/image-store", "shared"])
    await mkdir(join(root, name), { recursive: true });
});

afterEach(() => rm(root, { recursive: true, force: true }));

/** Asks whether a machine could be saved as an image called "golden". */
function save(): Promise<unknown> {
  const save = { suffix: ".qcow2", checkSave: () => Promise.resolve() };
  const access = { look: () => ({ driver: { can: { save } } }), assertUnclaimed: () => undefined };
  const settings = { state: join(root, "state"), imageDirs: [join(root, "state/images"), join(root, "shared")] };
  const scope = { parse: () => "m1" };
  const context = { access, settings, scope } as unknown as Parameters<typeof copyMethods>[0];
  const { handlers } = copyMethods(context) as unknown as {
    handlers: { saveInstance: (request: SaveInstanceRequest, context: object) => Promise<unknown> };
  };
  const request = SaveInstanceRequest.fromPartial({ name: "m1", image: "golden", validateOnly: true });
  return handlers.saveInstance(request, { caller: { identity: "user/ana" } });
}

it("saves under a name that is free", async () => {
  await expect(save()).resolves.toHaveProperty("operation");
});

it.each(["state/images", "shared", "state/image-store"])("puts no image before one in %s", async (directory) => {
  await writeFile(join(root, directory, "golden.qcow2"), "");
  await expect(save()).rejects.toMatchObject({ reason: "ALREADY_EXISTS" });
});
