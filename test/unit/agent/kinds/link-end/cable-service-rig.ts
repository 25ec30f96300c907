import type { EndSpec } from "../../../../../agent/engine/protocol/end-record.js";
import { noImpairment } from "../../../../../agent/engine/impair/impairment.js";
import type { EndView } from "../../../../../agent/engine/protocol/engine-protocol.js";
import type { LocalLinkSpec, LocalLinkView } from "../../../../../agent/kinds/link-end/local-links.js";
import type { VxlanSpec, VxlanView } from "../../../../../agent/kinds/link-end/vxlan-links.js";
import { cableService } from "../../../../../agent/kinds/link-end/cable-service.js";
import type { CallContext } from "../../../../../lib/grpc/service.js";
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
  blocked: false,
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
      { port: "zb0a", plugged: true, counters, outBps: 800, inForce: noImpairment },
      { port: "zb0b", plugged: true, counters: { ...counters, outFrames: 5 }, outBps: 500, inForce: noImpairment },
    ],
    seed: "7",
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
