import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Authority } from "../../../hub/pki/authority.js";
import { publicKeyOfCsr } from "../../../hub/pki/csr.js";
import { profileOf } from "../../../hub/pki/profile.js";
import { createCsr } from "../../../lib/tls/csr.js";
import { derToPem } from "../../../lib/tls/identity.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { InstanceServiceService, ListInstancesRequest } from "../../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { DialOut } from "../../fakes/dial-out.js";
import { type FakeHost, HubFixture } from "./fixture.js";

async function startDialledIn(fixture: HubFixture): Promise<{ host: FakeHost; dialOut: DialOut }> {
  const host = await fixture.addHost("inner", { via: async () => "" });
  const dialOut = new DialOut(host.agent.server, host.identity, fixture.hub.addresses.reverse[0] ?? "");
  fixture.defer(() => dialOut.close());
  dialOut.dial();
  return { host, dialOut };
}

describe("agents that dial the hub", () => {
  test("a host that cannot be dialled is served over the connection its agent opened", async () => {
    await using fixture = await HubFixture.start();
    const { host } = await startDialledIn(fixture);
    host.model.addInstance("vm1");
    host.model.addLan("lan1");
    await fixture.hostState("inner", HostState.HOST_STATE_READY);
    const { instances } = await fixture.admin.unary(
      InstanceServiceService.listInstances,
      ListInstancesRequest.fromPartial({}),
    );
    expect(instances.map(({ name }) => name)).toEqual(["hosts/inner/instances/vm1"]);
    const { lan } = await fixture.admin.unary(LanServiceService.getLan, { name: "hosts/inner/lans/lan1" });
    expect(lan?.uid).toBe(host.model.lan("hosts/inner/lans/lan1").uid);
  });

  test("a lost connection makes the host UNREACHABLE and the next one READY again", async () => {
    await using fixture = await HubFixture.start();
    const { host, dialOut } = await startDialledIn(fixture);
    await fixture.hostState("inner", HostState.HOST_STATE_READY);
    dialOut.close();
    await fixture.hostState("inner", HostState.HOST_STATE_UNREACHABLE);
    const again = new DialOut(host.agent.server, host.identity, fixture.hub.addresses.reverse[0] ?? "");
    fixture.defer(() => again.close());
    again.dial();
    await fixture.hostState("inner", HostState.HOST_STATE_READY);
  });

  test("a host whose certificate expired is shown as such: since when, and what heals it", async () => {
    await using fixture = await HubFixture.start();
    const host = await fixture.addHost("inner", { via: async () => "" });
    const profile = {
      ...profileOf({ kind: "host", id: "inner", role: Role.ROLE_UNSPECIFIED }, { hostDays: 1, personDays: 1 }),
    };
    const authority = await Authority.open(join(fixture.state, "ca"));
    const csr = await publicKeyOfCsr("csr", await createCsr(host.identity.keyPem));
    const { der } = await authority.issue(csr, "inner", { ...profile, lifetimeMs: -60_000 });
    const expired = { ...host.identity, certificatePem: derToPem(der) };
    const dialOut = new DialOut(host.agent.server, expired, fixture.hub.addresses.reverse[0] ?? "");
    fixture.defer(() => dialOut.close());
    dialOut.dial();
    await expect
      .poll(async () => (await fixture.host("inner")).reason, { timeout: 20_000 })
      .toMatch(
        /^its agent's certificate \(zor:\/\/host\/inner\) expired at 20.*Z, .* ago.*zor token create --host inner/,
      );
  });
});
