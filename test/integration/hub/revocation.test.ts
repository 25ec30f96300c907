import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { join } from "../../../lib/tls/join.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateTokenRequest, Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { HubFixture } from "./fixture.js";

async function revokedPerson(fixture: HubFixture, id: string): Promise<string> {
  const { token } = await fixture.admin.unary(
    TokenServiceService.createToken,
    CreateTokenRequest.fromPartial({ subject: { $case: "userId", value: id }, role: Role.ROLE_VIEWER }),
  );
  const { identity } = await join(token);
  const request = { identity: `zor://user/${id}`, requestId: "", validateOnly: false };
  await fixture.admin.unary(TokenServiceService.revokeIdentity, request);
  return new X509Certificate(identity.certificatePem).serialNumber;
}

test("a hub tells every connected agent at once which certificates are revoked, and others when they connect", async () => {
  await using fixture = await HubFixture.start();
  const hosts = [await fixture.addHost("alpha"), await fixture.addHost("beta")];
  for (const { model } of hosts) await fixture.hostState(model.host, HostState.HOST_STATE_READY);
  const bob = await revokedPerson(fixture, "bob");
  for (const { model } of hosts) await expect.poll(() => model.revokedSerials).toEqual([bob]);
  const eve = await revokedPerson(fixture, "eve");
  const late = await fixture.addHost("gamma");
  await fixture.hostState("gamma", HostState.HOST_STATE_READY);
  expect([...late.model.revokedSerials].toSorted()).toEqual([bob, eve].toSorted());
  for (const { model } of hosts) model.revokedSerials = [];
  await fixture.restart();
  for (const { model } of hosts) {
    await expect.poll(() => [...model.revokedSerials].toSorted(), { timeout: 60_000 }).toEqual([bob, eve].toSorted());
  }
});
