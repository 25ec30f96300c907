import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { CreateLanRequest, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { ApiFixture, action, creation, nameOf, parent } from "./api-fixture.js";

const instances = InstanceServiceService;
const lans = LanServiceService;
let api: ApiFixture;
beforeEach(async () => {
  api = await ApiFixture.start();
});
afterEach(() => api.close());

/** What there is beside the record of the host's boots. */
async function instancesOnDisk(): Promise<readonly string[]> {
  return (await readdir(join(api.state, "instances"))).filter((name) => name !== ".boot.json");
}

describe("bad input", () => {
  it.each(["-foo", "a,b", "a=b", "a\nb", "a\0b", "", "a/b", "a".repeat(64), "ä", " "])(
    "refuses the name %j",
    async (id) => {
      await expect(api.operator.unary(instances.createInstance, creation(id))).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        violations: [{ field: "instance_id" }],
      });
      await expect(
        api.operator.unary(lans.createLan, CreateLanRequest.create({ parent, lanId: id })),
      ).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        violations: [{ field: "lan_id" }],
      });
      expect(await instancesOnDisk()).toEqual([]);
    },
  );

  const withSpec = (spec: object) => Instance.fromJSON({ spec: { crun: { rootfs: "micro" }, ...spec } });
  it.each([
    ["instance", undefined],
    ["instance.spec", Instance.fromJSON({})],
    ["instance.spec.driver", Instance.fromJSON({ spec: {} })],
    ["instance.spec.memory_mib", withSpec({ memoryMib: "0" })],
    ["instance.spec.memory_mib", withSpec({ memoryMib: "-1" })],
    ["instance.spec.memory_mib", withSpec({ memoryMib: "99999999999" })],
    ["instance.spec.cpus", withSpec({ cpus: 0 })],
    ["instance.spec.cpus", withSpec({ cpus: 4097 })],
    ["instance.spec.nics[0].name", withSpec({ nics: [{ name: "-x" }] })],
    ["instance.spec.nics[1].name", withSpec({ nics: [{ name: "eth1" }, { mac: "02:00:00:00:00:09" }] })],
    ["instance.spec.nics[0].lan", withSpec({ nics: [{ lan: "a,b" }] })],
    ["instance.spec.nics[0].mac", withSpec({ nics: [{ mac: "01:00:00:00:00:01" }] })],
    ["instance.spec.nics[0].addresses[0]", withSpec({ nics: [{ addresses: ["10.0.0.1"] }] })],
    ["instance.spec.nics", withSpec({ nics: Array.from({ length: 32 }, () => ({})) })],
    ["instance.labels", Instance.fromJSON({ labels: { "a b": "" }, spec: { crun: { rootfs: "micro" } } })],
  ])("names the field %s", async (field, instance) => {
    await expect(api.operator.unary(instances.createInstance, creation("c1", { instance }))).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [expect.objectContaining({ field })],
    });
    expect(api.driver.calls).toEqual([]);
  });

  it("says NOT_FOUND for what is not there, and whose host another name is of", async () => {
    await expect(api.operator.unary(instances.getInstance, { name: nameOf("nope") })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    await expect(api.operator.unary(lans.getLan, { name: `${parent}/lans/nope` })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    await expect(
      api.operator.unary(instances.startInstance, { ...action("x"), name: "hosts/h2/instances/x" }),
    ).rejects.toMatchObject({
      code: status.NOT_FOUND,
      reason: "WRONG_HOST",
      message: expect.stringContaining("hosts/h1"),
    });
    await expect(
      api.operator.unary(instances.createInstance, creation("c1", { parent: "hosts/h2" })),
    ).rejects.toMatchObject({ reason: "WRONG_HOST" });
  });

  it("refuses bad filters, orders and page tokens", async () => {
    const list = { parent, pageSize: 0, pageToken: "", filter: "", orderBy: "" };
    for (const [field, change] of [
      ["filter", { filter: "a =" }],
      ["order_by", { orderBy: "; drop" }],
      ["page_token", { pageToken: "x" }],
      ["page_size", { pageSize: -1 }],
    ] as const) {
      await expect(api.operator.unary(instances.listInstances, { ...list, ...change })).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        violations: [{ field }],
      });
    }
  });
});

describe("request ids", () => {
  it("give the first answer again, after a restart too, and refuse another body", async () => {
    await api.make("c1");
    const first = await api.operator.unary(instances.stopInstance, action("c1", "r1"));
    expect(await api.operator.unary(instances.stopInstance, action("c1", "r1"))).toEqual(first);
    await api.restart();
    expect(await api.operator.unary(instances.stopInstance, action("c1", "r1"))).toEqual(first);
    await expect(api.operator.unary(instances.stopInstance, action("c2", "r1"))).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      reason: "REQUEST_ID_REUSED",
    });
    expect(api.driver.calls.filter((call) => call === "stop c1")).toHaveLength(1);
  });

  it("make a repeated creation one creation", async () => {
    const request = creation("c1", { requestId: "r1" });
    const [first, second] = await Promise.all([
      api.operator.unary(instances.createInstance, request),
      api.operator.unary(instances.createInstance, request),
    ]);
    expect(second.operation?.name).toBe(first.operation?.name);
    await api.wait(first.operation);
    expect(api.driver.guests.size).toBe(1);
  });
});

describe("validate_only", () => {
  it("checks everything and changes nothing", async () => {
    const { operation } = await api.operator.unary(
      instances.createInstance,
      creation("c1", { validateOnly: true, requestId: "r1" }),
    );
    expect(operation?.name).toBe("");
    await api.operator.unary(lans.createLan, CreateLanRequest.create({ parent, lanId: "lan1", validateOnly: true }));
    expect(await instancesOnDisk()).toEqual([]);
    expect(api.network.lans.size).toBe(0);
    await api.make("c1", { requestId: "r1" });
  });
});
