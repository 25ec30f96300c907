import { VolumeState } from "../../../proto/gen/zor/v1/volume.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of a volume is shown. */
export const volumeStyle = stateStyles(
  new Map([
    [VolumeState.VOLUME_STATE_CREATING, { symbol: "◐", word: "creating", tone: "busy" }],
    [VolumeState.VOLUME_STATE_READY, { symbol: "○", word: "ready", tone: "good" }],
    [VolumeState.VOLUME_STATE_ATTACHED, { symbol: "●", word: "attached", tone: "good" }],
    [VolumeState.VOLUME_STATE_MOVING, { symbol: "◐", word: "moving", tone: "busy" }],
    [VolumeState.VOLUME_STATE_ERROR, { symbol: "✗", word: "error", tone: "bad" }],
  ]),
);
