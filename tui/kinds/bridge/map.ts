import type { Bridge } from "../../../proto/gen/zor/v1/bridge.js";
import { plugOf } from "../../kit/map/plug.js";
import type { MapRole } from "../../kit/map/role.js";

/** The way into a bridge of the host. */
export const bridgeMap: MapRole<Bridge> = {
  shape: "thing",
  word: "bridge",
  endsOf: ({ spec }, name) => [plugOf(name, spec?.lan)],
  noteOf: ({ spec }) => spec?.bridge ?? "",
};
