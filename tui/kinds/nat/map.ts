import type { Nat } from "../../../proto/gen/zor/v1/nat.js";
import { plugOf } from "../../kit/map/plug.js";
import type { MapRole } from "../../kit/map/role.js";

/** The way out of a lan. */
export const natMap: MapRole<Nat> = {
  shape: "thing",
  word: "nat",
  endsOf: ({ spec }, name) => [plugOf(name, spec?.lan)],
  noteOf: ({ spec }) => spec?.subnet ?? "",
};
