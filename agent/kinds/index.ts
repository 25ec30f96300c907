import type { KindModule } from "../kit/context.js";
import type { AgentContext } from "../parts.js";
import { a2bKind } from "./a2b/a2b-kind.js";
import { backupKind } from "./backup/backup-kind.js";
import { bridgeKind } from "./bridge/bridge-kind.js";
import { captureKind } from "./capture/capture-kind.js";
import { figuresKind } from "./figures/figures-kind.js";
import { hostKind } from "./host/host-kind.js";
import { imageKind } from "./image/image-kind.js";
import { instanceKind } from "./instance/instance-kind.js";
import { lanKind } from "./lan/lan-kind.js";
import { linkEndKind } from "./link-end/link-end-kind.js";
import { natKind } from "./nat/nat-kind.js";
import { operationKind } from "./operation/operation-kind.js";
import { poolKind } from "./pool/pool-kind.js";
import { phyKind } from "./phy/phy-kind.js";
import { sessionKind } from "./session/session-kind.js";
import { snapshotKind } from "./snapshot/snapshot-kind.js";
import { tapKind } from "./tap/tap-kind.js";
import { volumeKind } from "./volume/volume-kind.js";
import { vtepKind } from "./vtep/vtep-kind.js";
import { wireKind } from "./wire/wire-kind.js";

/** All kinds of this agent: a new kind is one folder and one line here. What others refer to comes before them. */
export const kinds: readonly KindModule<AgentContext>[] = [
  lanKind,
  // Before instances: which of their NICs are in wires is known when they are taken up.
  wireKind,
  poolKind,
  volumeKind,
  // As wires: NICs are in links too.
  linkEndKind,
  instanceKind,
  natKind,
  tapKind,
  phyKind,
  bridgeKind,
  vtepKind,
  snapshotKind,
  backupKind,
  imageKind,
  a2bKind,
  captureKind,
  figuresKind,
  hostKind,
  sessionKind,
  operationKind,
];
