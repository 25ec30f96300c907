import type { Tap } from "../../../proto/gen/zor/v1/tap.js";
import { plugOf } from "../../kit/map/plug.js";
import type { MapRole } from "../../kit/map/role.js";

/** An interface of the host. */
export const tapMap: MapRole<Tap> = {
  shape: "thing",
  word: "tap",
  endsOf: ({ spec }, name) => [plugOf(name, spec?.lan)],
  noteOf: ({ spec }) => spec?.device ?? "",
};
