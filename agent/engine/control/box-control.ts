import type { Boxes } from "../boxes/boxes.js";
import { type BoxCalls, type BoxesEvent, boxProtocol } from "../protocol/box-protocol.js";
import type { ControlService } from "./control-server.js";

/** The control protocol of an engine's boxes. */
export function boxControl(boxes: Boxes): ControlService<BoxCalls, BoxesEvent> {
  return {
    protocol: boxProtocol,
    watch: (send) => boxes.watch(send),
    handlers: {
      ensureBox: ({ spec }) => boxes.ensure(spec),
      deleteBox: async ({ uid }) => {
        await boxes.delete(uid);
        return {};
      },
      setPort: (request) => {
        boxes.setPort(request);
        return {};
      },
    },
  };
}
