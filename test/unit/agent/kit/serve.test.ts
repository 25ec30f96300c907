import { describe, expect, it } from "vitest";
import { closeKinds, type KindPart, openKinds } from "../../../../agent/kit/context.js";
import { serve, type ServiceMethods, toServices } from "../../../../agent/kit/serve.js";
import type { CallContext } from "../../../../lib/grpc/service.js";
import { RequestIds, type RequestRecord } from "../../../../lib/idempotency.js";
import { DetachLanResponse, LanServiceService } from "../../../../proto/gen/zor/v1/lan_service.js";
import { KindWorld } from "./kind-world.js";

const records = new Map<string, RequestRecord>();
let settled = 0;
const requests = new RequestIds({
  find: async (id) => records.get(id),
  put: async (id, record) => {
    records.set(id, record);
  },
});
const options = {
  requests,
  settled: async () => {
    settled += 1;
  },
};
// Handlers look at nothing of the call but its caller.
const context = { caller: { identity: "zor://user/tester" } } as CallContext;

const { attachLan: _attach, detachLan: _detach, ...rest } = LanServiceService;
const standard: ServiceMethods = {
  service: "zor.v1.LanService",
  handlers: Object.fromEntries(Object.keys(rest).map((name) => [name, async () => ({})])),
};

describe("the services of several kinds", () => {
  it("are put together from what each serves, and refused when nobody or two serve a method", () => {
    const plugging = serve(LanServiceService, { attachLan: async () => ({ instance: undefined }) });
    expect(() => toServices([standard, plugging], options)).toThrow("nobody serves /zor.v1.LanService/DetachLan");
    const unplugging = serve(LanServiceService, { detachLan: async () => ({ instance: undefined }) });
    expect(toServices([standard, plugging, unplugging], options).map(({ name }) => name)).toEqual([
      "zor.v1.LanService",
    ]);
    expect(() => toServices([standard, plugging, plugging, unplugging], options)).toThrow("two kinds serve");
    expect(() => toServices([{ service: "zor.v1.NoService", handlers: {} }], options)).toThrow("there is no service");
  });

  it("carry a request out once for its id, and remember nothing of one that is only checked", async () => {
    let calls = 0;
    const detachLan = async () => {
      calls += 1;
      return DetachLanResponse.fromPartial({});
    };
    const plugging = serve(LanServiceService, { attachLan: detachLan, detachLan });
    const [service] = toServices([standard, plugging], options);
    const call = (requestId: string, validateOnly: boolean) =>
      service?.handlers["detachLan"]?.(
        { name: "hosts/h1/lans/lan1", endpoint: "", requestId, validateOnly } as never,
        context,
      );
    for (const validateOnly of [true, true, false, false]) await call("r1", validateOnly);
    expect(calls).toBe(3);
    // What an answer tells of is written down before it is remembered.
    expect(settled).toBe(1);
    await call("", false);
    await call("", false);
    expect(calls).toBe(5);
    await expect(call("a b", false)).rejects.toMatchObject({ violations: [{ field: "request_id" }] });
  });
});

describe("the kinds of an agent", () => {
  it("are opened in their order and closed the other way round, also when one of them cannot be opened", async () => {
    const world = await KindWorld.create();
    const log: string[] = [];
    const module = (kind: string, part?: Partial<KindPart>) => ({
      kind,
      open: async () => {
        log.push(`open ${kind}`);
        return { methods: [], ...part, close: async () => void log.push(`close ${kind}`) };
      },
    });
    const none = { kind: "link", open: async () => undefined };
    const opened = await openKinds([module("lan"), none, module("instance")], world.context());
    expect([...opened.keys()]).toEqual(["lan", "instance"]);
    await closeKinds(opened);
    const broken = { kind: "a2b", open: () => Promise.reject(new Error("no engine")) };
    await expect(openKinds([module("lan"), module("instance"), broken], world.context())).rejects.toThrow("no engine");
    const once = ["open lan", "open instance", "close instance", "close lan"];
    expect(log).toEqual([...once, ...once]);
    await world.destroy();
  });
});
