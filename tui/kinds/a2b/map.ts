import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import { impairedCondition, impairedFigures } from "../../kit/map/impaired.js";
import { lanOf } from "../../kit/map/plug.js";
import type { MapRole } from "../../kit/map/role.js";

/** An in-line box is the cable between its lans. */
export const a2bMap: MapRole<A2b> = {
  shape: "cable",
  word: "box",
  endsOf: ({ spec }, name) => [
    { name, word: "a", into: lanOf(name, spec?.lanA) },
    { name, word: "b", into: lanOf(name, spec?.lanB) },
  ],
  conditionOf: impairedCondition,
  figuresOf: impairedFigures,
};
