import type { TuiKind } from "../kit/kind.js";
import { a2bKind } from "./a2b/a2b.js";
import { backupKind } from "./backup/backup.js";
import { bridgeKind } from "./bridge/bridge.js";
import { eventKind } from "./event/event.js";
import { exposeKind } from "./expose/expose.js";
import { hostKind } from "./host/host.js";
import { imageKind } from "./image/image.js";
import { instanceKind } from "./instance/instance.js";
import { lanKind } from "./lan/lan.js";
import { linkKind } from "./link/link.js";
import { natKind } from "./nat/nat.js";
import { operationKind } from "./operation/operation.js";
import { phyKind } from "./phy/phy.js";
import { poolKind } from "./pool/pool.js";
import { sessionKind } from "./session/session.js";
import { snapshotKind } from "./snapshot/snapshot.js";
import { tapKind } from "./tap/tap.js";
import { volumeKind } from "./volume/volume.js";
import { vtepKind } from "./vtep/vtep.js";
import { wireKind } from "./wire/wire.js";

/** The one list of the kinds this program has something of its own to say about, in the order in which their tables are offered. */
export const tuiKinds: readonly TuiKind[] = [
  hostKind,
  instanceKind,
  lanKind,
  linkKind,
  operationKind,
  eventKind,
  a2bKind,
  snapshotKind,
  imageKind,
  poolKind,
  volumeKind,
  backupKind,
  wireKind,
  natKind,
  tapKind,
  bridgeKind,
  vtepKind,
  exposeKind,
  phyKind,
  sessionKind,
];
