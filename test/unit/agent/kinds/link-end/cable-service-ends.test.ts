import { randomBytes } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { DirectPath, EndSpec as EndSpecMessage } from "../../../../../proto/gen/zor/agent/v1/cable_service.js";
import {
  LinkCause,
  LinkEncryption,
  LinkPath,
  LinkRole,
  LinkState,
  LinkTransport,
} from "../../../../../proto/gen/zor/v1/link.js";
import { context, service } from "./cable-service-rig.js";

const good = {
  link: "links/demo",
  linkUid: "u1",
  lan: "lan1",
  role: LinkRole.LINK_ROLE_DIALER,
  peerAddresses: ["10.0.0.2:7444"],
  peerKeySha256: randomBytes(32),
  ticket: randomBytes(32),
  ticketTtlSeconds: 60,
};

test("a good end is passed on and its state told in full", async () => {
  const { handlers, asked } = service();
  const response = await handlers.ensureEnd({ end: EndSpecMessage.fromPartial(good) }, context);
  expect(asked).toEqual([EndSpecMessage.fromPartial(good)]);
  expect(response.status).toMatchObject({
    link: "links/demo",
    paired: true,
    needsTicket: false,
    direct: DirectPath.DIRECT_PATH_CLOSED,
    directReason: "10.0.0.2:7444 refused the connection",
    end: {
      lan: "hosts/alpha/lans/lan1",
      role: LinkRole.LINK_ROLE_DIALER,
      state: LinkState.LINK_STATE_DOWN,
      reason: "10.0.0.2:7444 refused the connection",
      sinceTime: new Date(1_000),
      nextTryTime: new Date(2_000),
      port: "zc0",
      rtt: { seconds: 0n, nanos: 1_500_000 },
      droppedQueueFrames: 5n,
      droppedDownFrames: 6n,
      droppedPortFrames: 7n,
      connects: 3n,
      enginePid: 42n,
      cause: LinkCause.LINK_CAUSE_REFUSED,
      path: LinkPath.LINK_PATH_RELAYED,
      rttP99: { seconds: 0n, nanos: 20_000_000 },
      txBps: 1_000n,
      rxBps: 2_000n,
    },
  });
});

test("without a ticket the end keeps what it has, whatever the time to live", async () => {
  const { handlers, asked } = service();
  const end = EndSpecMessage.fromPartial({ ...good, ticket: Buffer.alloc(0), ticketTtlSeconds: 0 });
  await handlers.ensureEnd({ end }, context);
  expect(asked[0]?.ticket).toHaveLength(0);
});

test.each<[string, Partial<EndSpecMessage>]>([
  ["end.link", { link: "links/-x" }],
  ["end.link", { link: "hosts/alpha/lans/lan1" }],
  ["end.link_uid", { linkUid: "" }],
  ["end.link_uid", { linkUid: "a/../b" }],
  ["end.lan", { lan: "a,b=c" }],
  ["end.lan", { lan: "-foo" }],
  ["end.lan", { lan: "lan\n1" }],
  ["end.role", { role: LinkRole.LINK_ROLE_UNSPECIFIED }],
  ["end.role", { role: LinkRole.UNRECOGNIZED }],
  ["end.peer_addresses", { peerAddresses: [] }],
  ["end.peer_addresses", { peerAddresses: Array.from({ length: 17 }, () => "10.0.0.2:1") }],
  ["end.peer_addresses[1]", { peerAddresses: ["10.0.0.2:1", "127.0.0.1:7444"] }],
  ["end.peer_addresses[0]", { peerAddresses: ["[::ffff:169.254.169.254]:80"] }],
  ["end.peer_addresses[0]", { peerAddresses: ["-beta.example:7444"] }],
  ["end.peer_key_sha256", { peerKeySha256: Buffer.alloc(31) }],
  ["end.relay_ticket", { relayTicket: Buffer.alloc(16) }],
  ["end.relay_addresses", { relayAddresses: Array.from({ length: 17 }, () => "10.0.0.3:1") }],
  ["end.relay_addresses[0]", { relayAddresses: ["127.0.0.1:7442"], relayTicket: Buffer.alloc(32) }],
  ["end.ticket", { ticket: Buffer.alloc(16) }],
  ["end.ticket_ttl_seconds", { ticketTtlSeconds: 0 }],
  ["end.ticket_ttl_seconds", { ticketTtlSeconds: 3601 }],
  ["end.encryption", { encryption: LinkEncryption.UNRECOGNIZED }],
])("a bad %s is refused by name and nothing is done", async (field, change) => {
  const { handlers, asked } = service();
  const end = EndSpecMessage.fromPartial({ ...good, ...change });
  await expect(handlers.ensureEnd({ end }, context)).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
    violations: [{ field }],
  });
  expect(asked).toEqual([]);
});

test.each<[string, Partial<EndSpecMessage>]>([
  ["TRANSPORT_NOT_OFFERED", { transport: LinkTransport.UNRECOGNIZED }],
  ["POLICY", { transport: LinkTransport.LINK_TRANSPORT_VXLAN, vxlanId: 1, peerIps: ["10.0.0.2"] }],
  ["POLICY", { encryption: LinkEncryption.LINK_ENCRYPTION_NONE }],
])("what this host does not offer is refused as %s", async (reason, change) => {
  const { handlers, asked } = service();
  const end = EndSpecMessage.fromPartial({ ...good, ...change });
  await expect(handlers.ensureEnd({ end }, context)).rejects.toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason,
  });
  expect(asked).toEqual([]);
});

test("a dialer that knows no address of the other host goes through the relay", async () => {
  const { handlers, asked } = service();
  const relayTicket = randomBytes(32);
  const linkUid = "00000000-0000-4000-8000-000000000001";
  const relay = { relayAddresses: ["10.0.0.3:7442"], relayTicket, linkUid };
  await handlers.ensureEnd({ end: EndSpecMessage.fromPartial({ ...good, peerAddresses: [], ...relay }) }, context);
  expect(asked[0]).toMatchObject({ relayAddresses: ["10.0.0.3:7442"], relayTicket });
});

test("a link without encryption is never given to the relay", async () => {
  const { handlers, asked } = service({ allowPlainLinks: true });
  const relay = { relayAddresses: ["10.0.0.3:7442"], relayTicket: randomBytes(32) };
  const end = EndSpecMessage.fromPartial({ ...good, ...relay, encryption: LinkEncryption.LINK_ENCRYPTION_NONE });
  await expect(handlers.ensureEnd({ end }, context)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  expect(asked).toEqual([]);
});

test("a link without encryption is made where the policy of the host allows it", async () => {
  const { handlers, asked } = service({ allowPlainLinks: true });
  const end = EndSpecMessage.fromPartial({ ...good, encryption: LinkEncryption.LINK_ENCRYPTION_NONE });
  await handlers.ensureEnd({ end }, context);
  expect(asked[0]?.encryption).toBe(LinkEncryption.LINK_ENCRYPTION_NONE);
});
