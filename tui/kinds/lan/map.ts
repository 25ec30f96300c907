import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import type { MapRole } from "../../kit/map/role.js";
import { lanStyle } from "./states.js";

/** What others are plugged into. */
export const lanMap: MapRole<Lan> = { shape: "lan", endsOf: () => [], styleOf: lanStyle };
