import { expect } from "vitest";
import { hubKinds } from "../../../hub/kinds/index.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { eventually } from "../../helpers/eventually.js";
import type { HubFixture } from "../../integration/hub/fixture.js";
import { describeKind } from "./contract.js";
import { startHubWorld } from "./hub-world.js";

const instance = "hosts/alpha/instances/web";

/** A host with an instance for all exposes that the suite makes. */
async function settle(fixture: HubFixture): Promise<void> {
  if ((await fixture.hosts()).length === 0) (await fixture.addHost("alpha")).model.addInstance("web");
  await eventually(async () => {
    expect((await fixture.hosts()).map(({ state }) => state)).toEqual([HostState.HOST_STATE_READY]);
  });
}

describeKind({
  singular: "expose",
  server: "a hub",
  start: () => startHubWorld(hubKinds, settle),
  spec: (number) => ({ instance, port: 8000 + number }),
  bad: { spec: { instance, port: 65_536 }, field: "expose.spec.port" },
  change: { spec: { maxConnections: 5 }, path: "spec.max_connections" },
});
