import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { HopVerdict } from "../../../../../proto/gen/zor/v1/link_service.js";
import { context, service } from "./cable-service-rig.js";

test("ends are deleted by name, and by uid when one is given", async () => {
  const { handlers, deleted } = service();
  await handlers.deleteEnd({ link: "links/local", linkUid: "u2" }, context);
  await handlers.deleteEnd({ link: "links/demo", linkUid: "" }, context);
  await handlers.deleteEnd({ link: "links/demo", linkUid: "u1" }, context);
  expect(deleted).toEqual([
    ["links/demo", ""],
    ["links/demo", "u1"],
  ]);
  await expect(handlers.deleteEnd({ link: "demo", linkUid: "" }, context)).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
  });
});

test("tested hops are passed on with the host they are on", async () => {
  const { handlers } = service();
  expect(await Array.fromAsync(handlers.diagnoseEnd({ token: Buffer.alloc(0), link: "links/demo" }, context))).toEqual([
    {
      hop: {
        host: "hosts/alpha",
        hop: "lan",
        verdict: HopVerdict.HOP_VERDICT_BROKEN,
        detail: "lan lan1 does not exist",
        remedy: "create it",
      },
    },
  ]);
});

test("a watch passes on what the manager tells", async () => {
  const { handlers } = service();
  const messages = await Array.fromAsync(handlers.watchEnds({}, context));
  expect(messages).toHaveLength(1);
  expect(messages[0]).toMatchObject({
    ends: [{ link: "links/demo" }, { link: "links/local" }, { link: "links/vx" }],
    removed: ["links/old"],
    snapshot: true,
  });
});
