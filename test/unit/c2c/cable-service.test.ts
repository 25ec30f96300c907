import { randomBytes } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import type { EndSpec } from "../../../agent/network/c2c/end-record.js";
import type { EndView } from "../../../agent/network/c2c/engine-protocol.js";
import { noImpairment } from "../../../agent/network/c2c/engine/impair/impairment.js";
import type { LocalLinkSpec, LocalLinkView } from "../../../agent/network/c2c/local-links.js";
import type { VxlanSpec, VxlanView } from "../../../agent/network/c2c/vxlan-links.js";
import { cableService } from "../../../agent/services/cable-service.js";
import type { CallContext } from "../../../lib/grpc/service.js";
import { DirectPath, EndSpec as EndSpecMessage } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import {
  LinkCause,
  LinkEncryption,
  LinkPath,
  LinkRole,
  LinkState,
  LinkTransport,
} from "../../../proto/gen/zor/v1/link.js";
import { Impairment } from "../../../proto/gen/zor/v1/impairment.js";
import { HopVerdict } from "../../../proto/gen/zor/v1/link_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";

const context: CallContext = {
  caller: { identity: "zor://hub/hub", kind: "hub", id: "hub", role: Role.ROLE_ADMIN },
  signal: new AbortController().signal,
  method: "/zor.agent.v1.CableService/EnsureEnd",
  peer: "10.0.0.1:5000",
  remainingMs: () => 1_000,
};

const view: EndView = {
  link: "links/demo",
  linkUid: "u1",
  lan: "lan1",
  role: "dialer",
  phase: "down",
  reason: "10.0.0.2:7444 refused the connection",
  cause: "refused",
  path: "relayed",
  direct: false,
  directReason: "10.0.0.2:7444 refused the connection",
  txBps: 1_000,
  rxBps: 2_000,
  sinceMs: 1_000,
  nextTryMs: 2_000,
  paired: true,
  needsTicket: false,
  tap: { name: "zc0", ready: true, generation: "g", plugged: true },
  localAddress: "",
  remoteAddress: "",
  protection: "",
  connects: 3,
  rttMs: 1.5,
  rttP99Ms: 20,
  lossRatio: 0,
  mtuProven: 1500,
  txFrames: 1,
  txBytes: 2,
  rxFrames: 3,
  rxBytes: 4,
  droppedQueueFrames: 5,
  droppedDownFrames: 6,
  droppedPortFrames: 7,
};

const counters = {
  inFrames: 10,
  inBytes: 1_000,
  outFrames: 8,
  outBytes: 800,
  lostFrames: 2,
  droppedQueueFrames: 0,
  droppedDownFrames: 0,
  droppedPortFrames: 0,
  duplicatedFrames: 0,
  reorderedFrames: 0,
  corruptedFrames: 0,
  queuedFrames: 0,
  queuedBytes: 0,
};

const localView: LocalLinkView = {
  link: "links/local",
  linkUid: "u2",
  awaySinceMs: undefined,
  box: {
    spec: {
      box: "links/local",
      uid: "u2",
      lans: ["lan1", "lan2"],
      aToB: noImpairment,
      bToA: noImpairment,
      steps: [],
      seed: "0",
      revision: "r",
    },
    active: true,
    reason: "",
    sinceMs: 3_000,
    ready: true,
    generation: "g",
    sides: [
      { port: "zb0a", plugged: true, counters, inForce: noImpairment },
      { port: "zb0b", plugged: true, counters: { ...counters, outFrames: 5 }, inForce: noImpairment },
    ],
    seed: "7",
  },
};

const vxlanView: VxlanView = {
  spec: { link: "links/vx", linkUid: "u3", lan: "lan1", role: "dialer", vxlanId: 5_898_240, peerIps: ["10.0.0.2"] },
  state: { phase: "active", reason: "", cause: "", sinceMs: 4_000, rxFrames: 9, lastHeardMs: 5_000 },
  port: "zv0",
  remoteAddress: "10.0.0.2:4789",
  device: {
    name: "zv0",
    up: true,
    vxlanId: 5_898_240,
    remote: "10.0.0.2",
    rxFrames: 9,
    rxBytes: 900,
    txFrames: 8,
    txBytes: 800,
    droppedFrames: 1,
  },
  txBps: 10,
  rxBps: 20,
};

interface Policy {
  readonly allowPlainLinks: boolean;
  readonly hasVxlan?: boolean;
}

function service(options: Policy = { allowPlainLinks: false }) {
  const asked: EndSpec[] = [];
  const local: LocalLinkSpec[] = [];
  const vxlan: VxlanSpec[] = [];
  const deleted: string[][] = [];
  const handlers = cableService({
    host: "alpha",
    allowLoopbackPeers: false,
    hasVxlan: true,
    ...options,
    vxlanLinks: {
      ensure: async (spec) => {
        vxlan.push(spec);
        return vxlanView;
      },
      delete: async (link) => link === "links/vx",
      diagnose: () => undefined,
      list: () => [vxlanView],
      onChange: () => () => undefined,
    },
    localLinks: {
      enginePid: 42,
      ensure: async (spec) => {
        local.push(spec);
        return localView;
      },
      delete: async (link) => link === "links/local",
      diagnose: () => undefined,
      list: () => [localView],
      onChange: () => () => undefined,
    },
    cables: {
      enginePid: 42,
      ensureEnd: async (spec) => {
        asked.push(spec);
        return view;
      },
      deleteEnd: async (...argv) => void deleted.push(argv),
      diagnose: async function* () {
        yield { hop: "lan", verdict: "broken", detail: "lan lan1 does not exist", remedy: "create it" };
      },
      list: () => [view],
      watch: async function* () {
        yield { ends: [view], removed: ["links/old"], snapshot: true };
      },
    },
  });
  return { handlers, asked, deleted, local, vxlan };
}

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
  expect(asked).toEqual([
    {
      link: "links/demo",
      linkUid: "u1",
      lan: "lan1",
      role: "dialer",
      peerAddresses: ["10.0.0.2:7444"],
      peerKeySha256: good.peerKeySha256.toString("hex"),
      ticket: good.ticket.toString("hex"),
      ticketTtlSeconds: 60,
      encryption: "tls",
    },
  ]);
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
  expect(asked[0]?.ticket).toBeUndefined();
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
  ["end.peer_addresses[0]", { peerAddresses: ["beta.example:7444"] }],
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
    end: { ...common, path, lan: "hosts/alpha/lans/lan1", port: "zb0a", txFrames: 8n, rxFrames: 5n },
    localPeer: { ...common, path, lan: "hosts/alpha/lans/lan2", port: "zb0b", txFrames: 5n, rxFrames: 8n },
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
  const without = service({ allowPlainLinks: true, hasVxlan: false });
  await expect(
    without.handlers.ensureEnd({ end: EndSpecMessage.fromPartial(vxlanEnd) }, context),
  ).rejects.toMatchObject({ reason: "TRANSPORT_NOT_OFFERED" });
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

test("a dialer that knows no address of the other host goes through the relay", async () => {
  const { handlers, asked } = service();
  const relayTicket = randomBytes(32);
  const linkUid = "00000000-0000-4000-8000-000000000001";
  const relay = { relayAddresses: ["10.0.0.3:7442"], relayTicket, linkUid };
  await handlers.ensureEnd({ end: EndSpecMessage.fromPartial({ ...good, peerAddresses: [], ...relay }) }, context);
  expect(asked[0]).toMatchObject({ relayAddresses: ["10.0.0.3:7442"], relayTicket: relayTicket.toString("hex") });
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
  expect(asked[0]?.encryption).toBe("none");
});

test("ends are deleted by name, and by uid when one is given", async () => {
  const { handlers, deleted } = service();
  await handlers.deleteEnd({ link: "links/local", linkUid: "u2" }, context);
  await handlers.deleteEnd({ link: "links/demo", linkUid: "" }, context);
  await handlers.deleteEnd({ link: "links/demo", linkUid: "u1" }, context);
  expect(deleted).toEqual([
    ["links/demo", ""],
    ["links/demo", "u1"],
  ]);
  await expect(handlers.deleteEnd({ link: "demo", linkUid: "" }, context)).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
  });
});

test("tested hops are passed on with the host they are on", async () => {
  const { handlers } = service();
  expect(await Array.fromAsync(handlers.diagnoseEnd({ link: "links/demo" }, context))).toEqual([
    {
      hop: {
        host: "hosts/alpha",
        hop: "lan",
        verdict: HopVerdict.HOP_VERDICT_BROKEN,
        detail: "lan lan1 does not exist",
        remedy: "create it",
      },
    },
  ]);
});

test("a watch passes on what the manager tells", async () => {
  const { handlers } = service();
  const messages = await Array.fromAsync(handlers.watchEnds({}, context));
  expect(messages).toHaveLength(1);
  expect(messages[0]).toMatchObject({
    ends: [{ link: "links/demo" }, { link: "links/local" }, { link: "links/vx" }],
    removed: ["links/old"],
    snapshot: true,
  });
});
