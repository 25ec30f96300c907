import type { Phy } from "../../../proto/gen/zor/v1/phy.js";
import { plugOf } from "../../kit/map/plug.js";
import type { MapRole } from "../../kit/map/role.js";

/** A network card of the host. */
export const phyMap: MapRole<Phy> = {
  shape: "thing",
  word: "phy",
  endsOf: ({ spec }, name) => [plugOf(name, spec?.lan)],
  noteOf: ({ spec }) => spec?.device ?? "",
};
