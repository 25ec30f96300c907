import type { HubKind } from "../../../hub/kit/hub-kind.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { HubFixture } from "../../integration/hub/fixture.js";
import type { KindWorld } from "./contract.js";

/**
 * A hub in this process with kinds, for kinds that live on it.
 * @param settle what must be there before it is used: when it has started, and each time it has started again.
 */
export async function startHubWorld(
  kinds: readonly HubKind[],
  settle: (fixture: HubFixture) => Promise<void> = async () => undefined,
): Promise<KindWorld> {
  const fixture = await HubFixture.start({ kinds });
  await settle(fixture);
  const identities = {
    operator: await fixture.identity("olga", Role.ROLE_OPERATOR),
    viewer: await fixture.identity("vera", Role.ROLE_VIEWER),
  };
  let connections = { operator: fixture.connectAs(identities.operator), viewer: fixture.connectAs(identities.viewer) };
  return {
    parent: "",
    operator: () => connections.operator,
    viewer: () => connections.viewer,
    identity: "zor://user/olga",
    restart: async () => {
      await fixture.restart();
      await settle(fixture);
      connections = { operator: fixture.connectAs(identities.operator), viewer: fixture.connectAs(identities.viewer) };
    },
    close: () => fixture[Symbol.asyncDispose](),
  };
}
