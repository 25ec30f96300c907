import { ImageServiceService as service } from "../../../proto/gen/zor/v1/image_service.js";
import { handlersOf } from "../../kit/handlers.js";
import type { HubKind } from "../../kit/hub-kind.js";
import { ImagePushes } from "./push.js";
import { PushRecords } from "./push-records.js";

/** Images live on hosts. The hub copies them from one to another. */
export const imageKind: HubKind = {
  kind: "image",
  create: (parts) => {
    const records = new PushRecords(parts.store);
    const pushes = new ImagePushes(parts, records);
    parts.operations.addWork("image", pushes);
    return {
      handlers: handlersOf(service, { pushImage: (request, context) => pushes.push(request, context) }),
      load: () => records.load(),
    };
  },
};
