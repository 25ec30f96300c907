import { type BoxRequest, boxRequestSchema } from "../protocol/box-protocol.js";
import type { ControlService } from "./control-server.js";
import type { Boxes } from "../boxes/boxes.js";

/** The control protocol of an engine's boxes. */
export function boxControl(boxes: Boxes): ControlService<BoxRequest> {
  return {
    schema: boxRequestSchema,
    watch: (send) => boxes.watch((event) => send({ event: "boxes", ...event })),
    perform: async (request) => {
      switch (request.method) {
        case "ensureBox":
          return { box: await boxes.ensure(request.spec) };
        case "deleteBox":
          return boxes.delete(request.uid);
        case "setPort":
          return boxes.setPort(request.uid, request);
        case "watch":
          return undefined;
      }
    },
  };
}
