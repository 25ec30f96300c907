import { expect } from "vitest";
import { hubKinds } from "../../../hub/kinds/index.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { LoopPolicy } from "../../../proto/gen/zor/v1/link.js";
import { eventually } from "../../helpers/eventually.js";
import type { HubFixture } from "../../integration/hub/fixture.js";
import { describeKind } from "./contract.js";
import { startHubWorld } from "./hub-world.js";

const hosts = ["alpha", "beta"] as const;

/** Two hosts with lans for as many links as the suite makes; several links may join the same two. */
async function settle(fixture: HubFixture): Promise<void> {
  const isNew = (await fixture.hosts()).length === 0;
  for (const id of isNew ? hosts : []) {
    const { model } = await fixture.addHost(id);
    for (let number = 1; number < 10; number += 1) model.addLan(`lan${number}`, true);
  }
  await eventually(async () => {
    const states = (await fixture.hosts()).map(({ state }) => state);
    expect(states).toEqual(hosts.map(() => HostState.HOST_STATE_READY));
  });
}

// Links are made, and unmade, by operations.
describeKind({
  singular: "link",
  server: "a hub",
  start: () => startHubWorld(hubKinds, settle),
  spec: (number) => ({
    a: `hosts/alpha/lans/lan${number}`,
    b: `hosts/beta/lans/lan${number}`,
    loop: LoopPolicy.LOOP_POLICY_RSTP,
  }),
  bad: { spec: { a: "hosts/alpha/lans/lan1", b: "hosts/alpha/lans/lan1" }, field: "link.spec.b" },
  change: { spec: { seed: 42n }, path: "spec.seed" },
});
