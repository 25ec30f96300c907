import type { HubKind } from "../kit/hub-kind.js";
import { a2bKind } from "./a2b/index.js";
import { exposeKind } from "./expose/index.js";
import { hostKind } from "./host/index.js";
import { backupKind } from "./backup/index.js";
import { imageKind } from "./image/index.js";
import { instanceKind } from "./instance/index.js";
import { lanKind } from "./lan/index.js";
import { linkKind } from "./link/index.js";
import { operationKind } from "./operation/index.js";
import { tokenKind } from "./token/index.js";

/** The kinds to which the hub adds something, in the order in which they are made and loaded: what is referred to comes first. */
export const hubKinds: readonly HubKind[] = [
  hostKind,
  linkKind,
  a2bKind,
  lanKind,
  imageKind,
  instanceKind,
  backupKind,
  operationKind,
  tokenKind,
  exposeKind,
];
