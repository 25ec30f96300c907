import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { RequestIds, type RequestRecord } from "../../../lib/idempotency.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";

function setUp() {
  const records = new Map<string, RequestRecord>();
  const store = {
    find: async (id: string) => records.get(id),
    put: async (id: string, record: RequestRecord) => void records.set(id, record),
  };
  let runs = 0;
  const method = LanServiceService.createLan;
  const call = (requestId: string, lanId = "lan1", identity = "zor://user/ana", ids = new RequestIds(store)) =>
    ids.once(
      method,
      { parent: "hosts/h", lanId, lan: undefined, requestId, validateOnly: false },
      identity,
      async () => {
        runs += 1;
        if (lanId === "bad") throw new Error("refused");
        return { lan: undefined };
      },
    );
  return { call, ids: new RequestIds(store), runs: () => runs };
}

describe("a request_id", () => {
  it("makes a repeated request give the first answer, also after a restart", async () => {
    const { call, runs } = setUp();
    expect(await call("r1")).toEqual(await call("r1"));
    expect(runs()).toBe(1);
  });

  it("makes a repeat during the first wait for it", async () => {
    const { call, ids, runs } = setUp();
    await Promise.all([call("r1", "lan1", "zor://user/ana", ids), call("r1", "lan1", "zor://user/ana", ids)]);
    expect(runs()).toBe(1);
  });

  it("is refused with another body and runs nothing", async () => {
    const { call, runs } = setUp();
    await call("r1");
    await expect(call("r1", "lan2")).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
      code: status.INVALID_ARGUMENT,
      violations: [{ field: "request_id" }],
    });
    expect(runs()).toBe(1);
  });

  it("is each caller's own", async () => {
    const { call, runs } = setUp();
    await call("r1");
    await call("r1", "lan2", "zor://user/bob");
    expect(runs()).toBe(2);
  });

  it("may be used again when the request failed, and an empty one is never remembered", async () => {
    const { call, runs } = setUp();
    await expect(call("r1", "bad")).rejects.toThrow("refused");
    await call("r1");
    await call("");
    await call("");
    expect(runs()).toBe(4);
  });

  it.each(["a b", "\n", "é", "x".repeat(65)])("%j is refused", async (id) => {
    await expect(setUp().call(id)).rejects.toThrow(/^request_id/);
  });
});
