import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { Agent } from "../../../agent/agent.js";
import { agentConfigSchema, settle } from "../../../agent/config.js";
import type { InstanceDriver } from "../../../agent/drivers/driver.js";
import { IdentityHolder, loadHostIdentity } from "../../../agent/identity-holder.js";
import { joinAsHost } from "../../../agent/join.js";
import { kinds } from "../../../agent/kinds/index.js";
import { createLog } from "../../../lib/log.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { GaugeRack, gaugeKind } from "../../extension/gauge-agent-kind.js";
import { FakeDriver } from "../../fakes/driver.js";
import { FakeHostNetwork } from "../../fakes/host-network.js";
import { probedOnce } from "../../fakes/host-probe.js";
import { eventually } from "../../helpers/eventually.js";
import { freePort } from "../../helpers/free-port.js";
import { HubFixture } from "../../integration/hub/fixture.js";
import type { KindWorld } from "./contract.js";

/** A hub that knows nothing of the tests' own kinds, before an agent that has one; a restart is the agent's. */
export async function startRoutedWorld(
  drivers?: readonly InstanceDriver[],
): Promise<KindWorld & { readonly fixture: HubFixture }> {
  const fixture = await HubFixture.start();
  const state = await mkdtemp(join(tmpdir(), "zt-routed-"));
  const listen = `127.0.0.1:${await freePort()}`;
  const config = agentConfigSchema.parse({ state, listen: [listen], observeSeconds: 0.1 });
  const { joinToken } = await fixture.admin.unary(
    HostServiceService.createHost,
    CreateHostRequest.fromPartial({ hostId: "h1", host: { addresses: [listen] } }),
  );
  await joinAsHost(joinToken, config);
  const { identity } = await loadHostIdentity(state, "h1");
  const parts = {
    drivers: drivers ?? [new FakeDriver()],
    network: new FakeHostNetwork().toPart(),
    cables: undefined,
    probeHost: probedOnce,
  };
  const rack = new GaugeRack();
  const startAgent = (): Promise<Agent> =>
    Agent.start({
      settings: settle(config, undefined, "h1"),
      hostUid: "uid-of-h1",
      identity: new IdentityHolder(identity),
      parts,
      kinds: [...kinds, gaugeKind(rack)],
      log: createLog("test", { write: () => undefined }),
    });
  const becomes = (state: HostState): Promise<unknown> =>
    eventually(async () => {
      const { host } = await fixture.admin.unary(HostServiceService.getHost, { name: "hosts/h1" });
      expect(host?.state).toBe(state);
    });
  let agent = await startAgent();
  await becomes(HostState.HOST_STATE_READY);
  const operator = await fixture.person("olga", Role.ROLE_OPERATOR);
  const viewer = await fixture.person("vera", Role.ROLE_VIEWER);
  return {
    fixture,
    parent: "hosts/h1",
    operator: () => operator,
    viewer: () => viewer,
    identity: "zor://user/olga",
    restart: async () => {
      await agent.close();
      await becomes(HostState.HOST_STATE_UNREACHABLE);
      agent = await startAgent();
      await becomes(HostState.HOST_STATE_READY);
    },
    close: async () => {
      await agent.close();
      await fixture[Symbol.asyncDispose]();
      await rm(state, { recursive: true, force: true });
    },
  };
}
