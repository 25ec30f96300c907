import type { Vtep } from "../../../proto/gen/zor/v1/vtep.js";
import { plugOf } from "../../kit/map/plug.js";
import type { MapRole } from "../../kit/map/role.js";

/** The way into a tunnel. */
export const vtepMap: MapRole<Vtep> = {
  shape: "thing",
  word: "vtep",
  endsOf: ({ spec }, name) => [plugOf(name, spec?.lan)],
  noteOf: ({ spec }) => spec?.remote ?? "",
};
