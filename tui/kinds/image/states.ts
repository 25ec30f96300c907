import { ImageState } from "../../../proto/gen/zor/v1/image.js";
import { stateStyles } from "../../kit/states.js";

/** How an image's state is shown. */
export const imageStyle = stateStyles(
  new Map([
    [ImageState.IMAGE_STATE_READY, { symbol: "●", word: "ready", tone: "good" }],
    [ImageState.IMAGE_STATE_DAMAGED, { symbol: "✗", word: "damaged", tone: "bad" }],
  ]),
);
