import { resolve } from "node:path";
import type { Connection } from "../../lib/grpc/connection.js";
import { commonKeys } from "../client/screen/named-keys.js";
import { openPaneScreen } from "../client/screen/pane-screen.js";
import { takePicture } from "../client/screen/take-picture.js";
import { writeWholeFile } from "../client/whole-file.js";
import { shortName } from "../kit/resource-name.js";
import type { MachineScreens } from "../screens/machine-screen/screen-opener.js";

/** Screens of machines over a connection to a hub or agent. */
export function createMachineScreens(connection: Connection): MachineScreens {
  return {
    commonKeys,
    open: (name, request) => openPaneScreen(connection, name, request),
    save: async (name, signal) => {
      const picture = await takePicture(connection, name, signal);
      const time = new Date().toISOString().replace(/[-:]|\.\d+Z/g, "");
      const path = resolve(`${shortName(name).replaceAll("/", "-")}-${time}.png`);
      await writeWholeFile(path, picture);
      return path;
    },
  };
}
