import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Agent } from "../../../agent/agent.js";
import { type AgentConfig, agentConfigSchema, settle } from "../../../agent/config.js";
import { dialOutForever } from "../../../agent/dial-out.js";
import { IdentityHolder, identityDirectory, loadHostIdentity } from "../../../agent/identity-holder.js";
import { joinAsHost } from "../../../agent/join.js";
import { findJoinData } from "../../../agent/join-data.js";
import { renewForever } from "../../../agent/renewal.js";
import { Authority } from "../../../hub/pki/authority.js";
import { ensureLocalIdentity } from "../../../hub/pki/local-identity.js";
import { profileOf } from "../../../hub/pki/profile.js";
import { createLog } from "../../../lib/log.js";
import { certificateFacts, type Identity, loadIdentity } from "../../../lib/tls/identity.js";
import { EventQuery, EventServiceService, ListEventsRequest } from "../../../proto/gen/zor/v1/event_service.js";
import {
  CreateLanRequest,
  DeleteLanRequest,
  LanServiceService,
  UpdateLanRequest,
} from "../../../proto/gen/zor/v1/lan_service.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { CreateTokenRequest, Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { eventually } from "../../helpers/eventually.js";
import { FakeDriver } from "../../fakes/driver.js";
import { FakeHostNetwork } from "../../fakes/host-network.js";
import { probedOnce } from "../../fakes/host-probe.js";
import { HubFixture } from "../hub/fixture.js";

const log = createLog("test", { write: () => undefined });
const unexpected = (damage: string): never => {
  throw new Error(damage);
};
let fixture: HubFixture;
let state: string;
let config: AgentConfig;
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  fixture = await HubFixture.start();
  state = await mkdtemp(join(tmpdir(), "zt-with-hub-"));
  config = agentConfigSchema.parse({ state, listen: ["127.0.0.1:0"], dialOut: true });
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await fixture[Symbol.asyncDispose]();
  await rm(state, { recursive: true, force: true });
});

async function joinHub(): Promise<string> {
  const { joinToken } = await fixture.admin.unary(
    HostServiceService.createHost,
    CreateHostRequest.fromPartial({ hostId: "far" }),
  );
  return joinAsHost(joinToken, config);
}

/** Begins something that runs until the test is over. */
function run(begin: (signal: AbortSignal) => Promise<void>): void {
  const abort = new AbortController();
  const ended = begin(abort.signal);
  cleanups.push(async () => {
    abort.abort();
    await ended;
  });
}

describe("joining", () => {
  it("leaves an identity and what the hub said, and refuses tokens of people", async () => {
    expect(await joinHub()).toBe("far");
    expect((await loadHostIdentity(state, undefined)).host).toBe("far");
    await expect(loadHostIdentity(state, "near")).rejects.toMatchObject({ reason: "WRONG_IDENTITY" });
    expect(await findJoinData(state, unexpected)).toMatchObject({
      host: "far",
      dialOut: true,
      hubAddresses: fixture.hub.addresses.listen,
    });
    const { token } = await fixture.admin.unary(
      TokenServiceService.createToken,
      CreateTokenRequest.fromPartial({ subject: { $case: "userId", value: "ana" }, role: Role.ROLE_ADMIN }),
    );
    await expect(joinAsHost(token, config)).rejects.toThrow();
    expect((await loadHostIdentity(state, undefined)).host).toBe("far");
  });
});

describe("an agent that dials out", () => {
  it("is READY at the hub and serves its calls", async () => {
    await joinHub();
    const { identity } = await loadHostIdentity(state, undefined);
    const holder = new IdentityHolder(identity);
    const driver = new FakeDriver();
    const network = new FakeHostNetwork();
    const agent = await Agent.start({
      settings: settle(config, await findJoinData(state, unexpected), "far"),
      hostUid: "uid",
      identity: holder,
      parts: { drivers: [driver], network: network.toPart(), cables: undefined, probeHost: probedOnce },
      log,
    });
    cleanups.push(() => agent.close());
    const addresses = (await findJoinData(state, unexpected))?.hubReverseAddresses ?? [];
    const accept = (socket: Parameters<typeof agent.server.accept>[0]) => agent.server.accept(socket);
    run((signal) =>
      dialOutForever(
        { identity: holder, addresses, accept, log, boot: agent.boot, onRefused: () => undefined },
        signal,
      ),
    );
    await fixture.hostState("far", HostState.HOST_STATE_READY);
    const list = { parent: "hosts/far", pageSize: 0, pageToken: "", filter: "", orderBy: "" };
    expect((await fixture.admin.unary(InstanceServiceService.listInstances, list)).unreachable).toEqual([]);
    const request = { name: "hosts/far/instances/x", requestId: "", validateOnly: false };
    await expect(fixture.admin.unary(InstanceServiceService.startInstance, request)).rejects.toMatchObject({
      reason: "NOT_FOUND",
      resource: "hosts/far/instances/x",
    });
    // Who had something done is known at the host and at the hub: the person, not the hub that passed it on.
    const ops = await fixture.person("ops", Role.ROLE_OPERATOR);
    await ops.unary(LanServiceService.createLan, CreateLanRequest.fromPartial({ parent: "hosts/far", lanId: "l1" }));
    const lan = { name: "hosts/far/lans/l1", labels: { site: "a" } };
    const relabel = UpdateLanRequest.fromPartial({ lan, updateMask: ["labels"] });
    await ops.unary(LanServiceService.updateLan, relabel);
    await ops.unary(LanServiceService.updateLan, relabel);
    await ops.unary(LanServiceService.deleteLan, DeleteLanRequest.fromPartial({ name: lan.name }));
    const query = EventQuery.fromPartial({ resource: lan.name });
    await eventually(async () => {
      const { events } = await fixture.admin.unary(
        EventServiceService.listEvents,
        ListEventsRequest.fromPartial({ query }),
      );
      const caller = "zor://user/ops";
      expect(events.toReversed()).toMatchObject([
        { type: "lan.created", caller },
        { type: "lan.changed", caller, message: "labels" },
        { type: "lan.deleted", caller },
      ]);
    });
  });
});

describe("a certificate with less than a third of its life left", () => {
  async function almostExpired(): Promise<Identity> {
    const authority = await Authority.open(join(fixture.state, "ca"));
    const base = profileOf({ kind: "host", id: "far", role: Role.ROLE_UNSPECIFIED }, { hostDays: 1, personDays: 1 });
    // Certificates begin five minutes early: one of a minute is past its renewal when it is made.
    const profile = { ...base, lifetimeMs: 60_000 };
    await rm(identityDirectory(state), { recursive: true });
    return ensureLocalIdentity({
      authority,
      directory: identityDirectory(state),
      profile,
      issue: (key) => authority.issue(key, "far", profile),
      now: new Date(),
    });
  }

  it("is renewed by the hub, in use and on disk, with the same key", async () => {
    await joinHub();
    const old = await almostExpired();
    const holder = new IdentityHolder(old);
    const replaced = Promise.withResolvers<Identity>();
    holder.onReplace((identity) => replaced.resolve(identity));
    const directory = identityDirectory(state);
    const hubAddresses = ["127.0.0.1:1", ...fixture.hub.addresses.listen];
    run((signal) => renewForever({ identity: holder, directory, hubAddresses, log }, signal));
    const renewed = await replaced.promise;
    expect(certificateFacts(renewed.certificatePem).notAfter.getTime()).toBeGreaterThan(Date.now() + 3_600_000);
    expect(certificateFacts(renewed.certificatePem).uris).toEqual(["zor://host/far"]);
    expect(renewed.keyPem).toBe(old.keyPem);
    expect(await loadIdentity(directory)).toEqual(renewed);
  });
});
