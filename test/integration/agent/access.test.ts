import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentServiceService } from "../../../proto/gen/zor/agent/v1/agent_service.js";
import { EventQuery, EventServiceService, ListEventsRequest } from "../../../proto/gen/zor/v1/event_service.js";
import { HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { TestPki } from "../../helpers/pki.js";
import { ApiFixture, creation, nameOf, parent } from "./api-fixture.js";

const instances = InstanceServiceService;
let api: ApiFixture;
beforeEach(async () => {
  api = await ApiFixture.start();
});
afterEach(() => api.close());

describe("who may call", () => {
  it("refuses plaintext, and connections without a certificate of the fleet", async () => {
    const port = Number(api.address.split(":")[1]);
    const plain = connectTcp(port, "127.0.0.1");
    const plainEnd = Promise.withResolvers<void>();
    plain.on("error", () => undefined).on("close", () => plainEnd.resolve());
    plain.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await plainEnd.promise;
    const bareEnd = Promise.withResolvers<string>();
    const bare = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    bare
      .on("error", (error: NodeJS.ErrnoException) => bareEnd.resolve(error.code ?? ""))
      .on("close", () => bareEnd.resolve("closed"));
    bare.resume();
    expect(await bareEnd.promise).toMatch(/CERTIFICATE_REQUIRED|ECONNRESET|closed/);
    const foreign = await TestPki.create(join(api.directory, "foreign-pki"));
    const stranger = { ...(await foreign.user("ana", Role.ROLE_ADMIN)), caPem: api.pki.caPem };
    await expect(
      api.connect(stranger).unary(instances.getInstance, { name: nameOf("x") }, { timeoutMs: 60_000 }),
    ).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
    expect((await api.operator.unary(HostServiceService.getHost, { name: parent })).host?.name).toBe(parent);
  });

  it("lets viewers look and not change, and hosts do neither", async () => {
    const viewer = api.connect(await api.pki.user("vic", Role.ROLE_VIEWER));
    await viewer.unary(instances.listInstances, { parent, pageSize: 0, pageToken: "", filter: "", orderBy: "" });
    await expect(viewer.unary(instances.createInstance, creation("c1"))).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    const host = api.connect(await api.pki.host("h2"));
    await expect(host.unary(instances.getInstance, { name: nameOf("c1") })).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    await expect(api.operator.unary(AgentServiceService.ping, {})).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    const query = EventQuery.fromPartial({ filter: "type=host.call-refused" });
    const { events } = await api.operator.unary(
      EventServiceService.listEvents,
      ListEventsRequest.fromPartial({ query }),
    );
    expect(events.map(({ caller }) => caller).sort()).toEqual(["zor://host/h2", "zor://user/ana", "zor://user/vic"]);
  });

  it("tells a hub who it is, and agrees on an API level or none", async () => {
    const hub = api.connect(await api.pki.hub());
    const hello = { hubVersion: "9", minApiLevel: 1, maxApiLevel: 7, hub: "test", revokedSerials: [], refusal: "" };
    expect(await hub.unary(AgentServiceService.hello, hello)).toMatchObject({
      hostId: "h1",
      hostUid: "uid-of-h1",
      apiLevel: 1,
    });
    expect((await hub.unary(AgentServiceService.hello, { ...hello, minApiLevel: 6 })).apiLevel).toBe(0);
  });
});

describe("the host", () => {
  it("shows itself with what it can do, and registers none", async () => {
    await api.make("c1");
    await expect
      .poll(async () =>
        (await api.operator.unary(HostServiceService.getHost, { name: parent })).host?.fingerprint?.capabilities.map(
          ({ id }) => id,
        ),
      )
      .toContain("driver.crun");
    const { host } = await api.operator.unary(HostServiceService.getHost, { name: parent });
    expect(host?.summary).toMatchObject({ instances: { RUNNING: 1 }, lans: 0 });
    const admin = api.connect(await api.pki.user("root", Role.ROLE_ADMIN));
    const request = { hostId: "h2", host: undefined, requestId: "", validateOnly: false, tokenTtl: undefined };
    await expect(admin.unary(HostServiceService.createHost, request)).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
  });
});
