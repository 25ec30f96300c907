import type { Image } from "../../../proto/gen/zor/v1/image.js";
import type { TuiKind } from "../../kit/kind.js";
import { imageActions } from "./actions.js";
import { imageColumns, imageWideColumns } from "./columns.js";
import { describeImage } from "./describe.js";
import { imageStyle } from "./states.js";

/** What instances are made from. */
export const imageKind: TuiKind<Image> = {
  kind: "image",
  columns: imageColumns,
  wideColumns: imageWideColumns,
  sortBy: "name",
  empty: "no images here; bring one with: zor image import FILE --host HOST",
  counted: { short: "imgs", rank: 3 },
  actions: imageActions,
  stateAt: ["status", "state"],
  styleOf: imageStyle,
  describe: describeImage,
  commands: async () => (await import("./flags.js")).imageCommands,
};
