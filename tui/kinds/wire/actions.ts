import type { Wire } from "../../../proto/gen/zor/v1/wire.js";
import { WireServiceService } from "../../../proto/gen/zor/v1/wire_service.js";
import { type Action, deletes, deletesBy } from "../../kit/action.js";

/** What can be asked of a wire. */
export const wireActions: readonly Action<Wire>[] = [
  {
    ...deletes,
    effect: () => "both ends lose carrier",
    ...deletesBy(WireServiceService.deleteWire),
  },
];
