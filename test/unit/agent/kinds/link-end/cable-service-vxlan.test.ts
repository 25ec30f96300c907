import { expect, test } from "vitest";
import { EndSpec as EndSpecMessage } from "../../../../../proto/gen/zor/agent/v1/cable_service.js";
import { Impairment } from "../../../../../proto/gen/zor/v1/impairment.js";
import { LinkEncryption, LinkPath, LinkRole, LinkState, LinkTransport } from "../../../../../proto/gen/zor/v1/link.js";
import { context, service, vxlanView } from "./cable-service-rig.js";

const vxlanEnd = {
  link: "links/vx",
  linkUid: "u3",
  lan: "lan1",
  role: LinkRole.LINK_ROLE_DIALER,
  transport: LinkTransport.LINK_TRANSPORT_VXLAN,
  encryption: LinkEncryption.LINK_ENCRYPTION_NONE,
  vxlanId: 5_898_240,
  peerIps: ["10.0.0.2"],
};

test("a vxlan link is made where policy and kernel allow it, and told as not encrypted", async () => {
  const { handlers, vxlan } = service({ allowPlainLinks: true });
  const { status: told } = await handlers.ensureEnd({ end: EndSpecMessage.fromPartial(vxlanEnd) }, context);
  expect(vxlan).toEqual([vxlanView.spec]);
  expect(told).toMatchObject({
    paired: true,
    needsTicket: false,
    end: {
      state: LinkState.LINK_STATE_ACTIVE,
      protection: "none",
      path: LinkPath.LINK_PATH_DIRECT,
      remoteAddress: "10.0.0.2:4789",
      txFrames: 8n,
      rxFrames: 9n,
    },
  });
  expect(told?.end?.rtt).toBeUndefined();
  const without = service({ allowPlainLinks: true, vxlanMissing: "its kernel has no vxlan (module vxlan)" });
  await expect(
    without.handlers.ensureEnd({ end: EndSpecMessage.fromPartial(vxlanEnd) }, context),
  ).rejects.toMatchObject({
    reason: "TRANSPORT_NOT_OFFERED",
    message: "this host cannot carry vxlan: its kernel has no vxlan (module vxlan)",
  });
});

test.each<[string, Partial<EndSpecMessage>]>([
  ["end.encryption", { encryption: LinkEncryption.LINK_ENCRYPTION_TLS }],
  ["end.vxlan_id", { vxlanId: 0 }],
  ["end.vxlan_id", { vxlanId: 2 ** 24 }],
  ["end.peer_ips", { peerIps: [] }],
  ["end.peer_ips[0]", { peerIps: ["127.0.0.1"] }],
  ["end.peer_ips[1]", { peerIps: ["10.0.0.2", "-x"] }],
  ["end.impairment", { impairment: Impairment.fromPartial({ lossRatio: 0.1 }) }],
])("a vxlan link with a bad %s is refused", async (field, change) => {
  const { handlers, vxlan } = service({ allowPlainLinks: true });
  const end = EndSpecMessage.fromPartial({ ...vxlanEnd, ...change });
  await expect(handlers.ensureEnd({ end }, context)).rejects.toMatchObject({ violations: [{ field }] });
  expect(vxlan).toEqual([]);
});
