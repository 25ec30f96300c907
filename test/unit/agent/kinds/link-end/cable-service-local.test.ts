import { expect, test } from "vitest";
import { EndSpec as EndSpecMessage } from "../../../../../proto/gen/zor/agent/v1/cable_service.js";
import { Impairment } from "../../../../../proto/gen/zor/v1/impairment.js";
import { LinkPath, LinkRole, LinkState } from "../../../../../proto/gen/zor/v1/link.js";
import { context, service } from "./cable-service-rig.js";

const localEnd = {
  link: "links/local",
  linkUid: "u2",
  lan: "lan1",
  role: LinkRole.LINK_ROLE_LISTENER,
  localPeerLan: "lan2",
};

test("a link between two lans of the host is made with both directions, and both ends are told", async () => {
  const { handlers, local } = service();
  const impairment = { lossRatio: 0.5 };
  const end = EndSpecMessage.fromPartial({ ...localEnd, impairment, seed: 7n });
  const { status: told } = await handlers.ensureEnd({ end }, context);
  expect(local).toMatchObject([{ link: "links/local", lanA: "lan1", lanB: "lan2", aToB: impairment, seed: 7n }]);
  const common = { role: LinkRole.LINK_ROLE_LISTENER, state: LinkState.LINK_STATE_ACTIVE, protection: "" };
  const path = LinkPath.LINK_PATH_LOCAL;
  expect(told).toMatchObject({
    paired: true,
    needsTicket: false,
    end: {
      ...common,
      path,
      lan: "hosts/alpha/lans/lan1",
      port: "zb0a",
      txFrames: 8n,
      rxFrames: 5n,
      txBps: 800n,
      rxBps: 500n,
    },
    localPeer: {
      ...common,
      path,
      lan: "hosts/alpha/lans/lan2",
      port: "zb0b",
      txFrames: 5n,
      rxFrames: 8n,
      txBps: 500n,
      rxBps: 800n,
    },
  });
  expect(told?.end?.impairment).toMatchObject({ inFrames: 10n, lostFrames: 2n });
});

test.each<[string, Partial<EndSpecMessage>]>([
  ["end.local_peer_lan", { localPeerLan: "lan1" }],
  ["end.local_peer_lan", { localPeerLan: "-x" }],
  ["end.local_peer_lan", { ticket: Buffer.alloc(32) }],
  ["end.local_peer_lan", { peerAddresses: ["10.0.0.2:1"] }],
  ["end.impairment.loss_ratio", { impairment: Impairment.fromPartial({ lossRatio: 2 }) }],
])("a link between two lans with a bad %s is refused", async (field, change) => {
  const { handlers, local } = service();
  const end = EndSpecMessage.fromPartial({ ...localEnd, ...change });
  await expect(handlers.ensureEnd({ end }, context)).rejects.toMatchObject({ violations: [{ field }] });
  expect(local).toEqual([]);
});
