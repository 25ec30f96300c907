import type { InstanceDriver } from "../../../agent/drivers/driver.js";
import { CreateLanRequest, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { GaugeRack, gaugeKind } from "../../extension/gauge-agent-kind.js";
import { ApiFixture, type ApiFixtureOptions } from "../../integration/agent/api-fixture.js";
import type { KindWorld } from "./contract.js";

/**
 * An agent in this process with one more kind than it knows, and a lan that others may refer to.
 * @param host directories that pools may be made in and backups kept in; default: none.
 */
export async function startAgentWorld(
  drivers?: readonly InstanceDriver[],
  rack = new GaugeRack(),
  host: Pick<ApiFixtureOptions, "storage" | "backups"> = {},
): Promise<KindWorld> {
  const fixture = await ApiFixture.start({
    kinds: [gaugeKind(rack)],
    ...(drivers === undefined ? {} : { drivers }),
    ...host,
  });
  const identity = await fixture.pki.user("vera", Role.ROLE_VIEWER);
  let viewer = fixture.connect(identity);
  return {
    parent: "hosts/h1",
    operator: () => fixture.operator,
    viewer: () => viewer,
    identity: "zor://user/ana",
    restart: async () => {
      await fixture.restart();
      viewer = fixture.connect(identity);
    },
    close: () => fixture.close(),
  };
}

/** A lan for whoever refers to one. */
export async function makeLan({ operator, parent }: KindWorld, lanId: string): Promise<void> {
  await operator().unary(LanServiceService.createLan, CreateLanRequest.fromPartial({ parent, lanId }));
}
