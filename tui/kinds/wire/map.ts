import type { Wire } from "../../../proto/gen/zor/v1/wire.js";
import { impairedCondition, impairedFigures } from "../../kit/map/impaired.js";
import type { MapRole } from "../../kit/map/role.js";

/** A cable within a host. */
export const wireMap: MapRole<Wire> = {
  shape: "cable",
  line: "heavy",
  endsOf: ({ spec }, name) => [
    { name, word: "a", into: spec?.a ?? "" },
    { name, word: "b", into: spec?.b ?? "" },
  ],
  conditionOf: (wire) => (wire.spec?.cut === true ? "broken" : impairedCondition(wire)),
  figuresOf: (wire) => (wire.spec?.cut === true ? ["cut"] : impairedFigures(wire)),
};
