import { DropFilters } from "../../../../../agent/cable/drop-filters.js";
import { invalidArgument } from "../../../../../lib/errors.js";
import type { LocalLinkSpec, LocalLinkView } from "../../../../../agent/kinds/link-end/local-link.js";
import type { VxlanSpec, VxlanView } from "../../../../../agent/kinds/link-end/vxlan-links.js";
import { cableService } from "../../../../../agent/kinds/link-end/cable-service.js";
import type { CallContext } from "../../../../../lib/grpc/service.js";
import { DirectPath, type EndSpec } from "../../../../../proto/gen/zor/agent/v1/cable_service.js";
import { A2bSpec, A2bState, A2bStatus } from "../../../../../proto/gen/zor/v1/a2b.js";
import { LinkCause, LinkEnd, LinkPath, LinkRole, LinkState } from "../../../../../proto/gen/zor/v1/link.js";
import type { EndView } from "../../../../../agent/engine/protocol/end-protocol.js";
import { Role } from "../../../../../proto/gen/zor/v1/token_service.js";

/** The hub asks. */
export const context: CallContext = {
  caller: { identity: "zor://hub/hub", kind: "hub", id: "hub", role: Role.ROLE_ADMIN },
  signal: new AbortController().signal,
  method: "/zor.agent.v1.CableService/EnsureEnd",
  peer: "10.0.0.1:5000",
  remainingMs: () => 1_000,
  tell: () => undefined,
};

const view: EndView = {
  ...{ carrierHold: undefined, keepCarrier: false },
  status: {
    link: "links/demo",
    linkUid: "u1",
    paired: true,
    needsTicket: false,
    direct: DirectPath.DIRECT_PATH_CLOSED,
    directReason: "10.0.0.2:7444 refused the connection",
    localPeer: undefined,
    end: LinkEnd.fromPartial({
      lan: "lan1",
      role: LinkRole.LINK_ROLE_DIALER,
      state: LinkState.LINK_STATE_DOWN,
      reason: "10.0.0.2:7444 refused the connection",
      cause: LinkCause.LINK_CAUSE_REFUSED,
      path: LinkPath.LINK_PATH_RELAYED,
      sinceTime: new Date(1_000),
      nextTryTime: new Date(2_000),
      port: "zc0",
      enginePid: 42n,
      connects: 3n,
      rtt: { seconds: 0n, nanos: 1_500_000 },
      rttP99: { seconds: 0n, nanos: 20_000_000 },
      mtuProven: 1500,
      ...{ txFrames: 1n, txBytes: 2n, rxFrames: 3n, rxBytes: 4n, txBps: 1_000n, rxBps: 2_000n },
      ...{ droppedQueueFrames: 5n, droppedDownFrames: 6n, droppedPortFrames: 7n },
    }),
  },
  port: { name: "zc0", lan: "lan1", ready: true, plugged: true, generation: "g" },
};

const stats = { inFrames: 10n, inBytes: 1_000n, outFrames: 8n, outBytes: 800n, lostFrames: 2n };
const plugged = { ready: true, plugged: true, generation: "g" };

const localView: LocalLinkView = {
  link: "links/local",
  linkUid: "u2",
  awaySinceMs: undefined,
  box: {
    spec: {
      ...{ box: "links/local", uid: "u2", revision: "r", dropPrograms: [] },
      spec: A2bSpec.fromPartial({ lanA: "lan1", lanB: "lan2" }),
    },
    status: A2bStatus.fromPartial({
      state: A2bState.A2B_STATE_ACTIVE,
      sinceTime: new Date(3_000),
      aToB: stats,
      bToA: { ...stats, outFrames: 5n },
      seed: 7n,
    }),
    ports: [
      { name: "zb0a", lan: "lan1", ...plugged },
      { name: "zb0b", lan: "lan2", ...plugged },
    ],
    aToBBps: 800n,
    bToABps: 500n,
  },
};

/** What the host's one vxlan link is told as. */
export const vxlanView: VxlanView = {
  spec: { link: "links/vx", linkUid: "u3", lan: "lan1", role: "dialer", vxlanId: 5_898_240, peerIps: ["10.0.0.2"] },
  state: {
    phase: "active",
    reason: "",
    cause: "",
    sinceMs: 4_000,
    rxFrames: 9,
    lastHeardMs: 5_000,
    lastAnsweredMs: 5_000,
  },
  port: "zv0",
  remoteAddress: "10.0.0.2:4789",
  device: {
    name: "zv0",
    ifindex: 7,
    up: true,
    vxlanId: 5_898_240,
    remote: "10.0.0.2",
    dstPort: 4789,
    local: "",
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
  readonly vxlanMissing?: string;
}

/** The service of a host whose links exist only here, and what it asked them for. */
export function service(options: Policy = { allowPlainLinks: false }) {
  const asked: EndSpec[] = [];
  const local: LocalLinkSpec[] = [];
  const vxlan: VxlanSpec[] = [];
  const deleted: string[][] = [];
  const handlers = cableService({
    host: "alpha",
    allowLoopbackPeers: false,
    vxlanMissing: "",
    ...options,
    dropFilters: new DropFilters("alpha", async ({ filter }) => {
      if (filter === "icmp") return [[6, 0, 0, 1]];
      throw invalidArgument("filter", "syntax error");
    }),
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
