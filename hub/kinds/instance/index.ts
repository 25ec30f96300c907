import { InstanceCopyServiceService as service } from "../../../proto/gen/zor/v1/instance_copy_service.js";
import { handlersOf } from "../../kit/handlers.js";
import type { HubKind } from "../../kit/hub-kind.js";
import { InstanceClones } from "./clones.js";

/** Instances live on hosts. The hub clones them from one to another. */
export const instanceKind: HubKind = {
  kind: "instance",
  create: (parts) => {
    const clones = new InstanceClones(parts);
    parts.operations.addWork("instance", clones);
    return {
      handlers: handlersOf(service, { cloneInstance: (request, context) => clones.clone(request, context) }),
    };
  },
};
