import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { flagText, type KindCommands } from "../../kit/kind-commands.js";

/** What the command line can say of lans. */
export const lanCommands: KindCommands<Lan> = {
  changeable: ["labels", "annotations"],
  create: {
    description: "Create a lan: a virtual switch on one host.",
    flags: [
      { flags: "--mtu <bytes>", help: "largest packet it carries, 576 to 9216 (default: 1500)" },
      { flags: "--rstp", help: "run the rapid spanning tree protocol" },
    ],
    examples: ["alpha/lan1", "alpha/storage --mtu 9000 --label tier=backend"],
    read: ({ values }) => {
      const mtu = flagText(values, "mtu");
      return {
        spec: { mtu: mtu === undefined ? 0 : parseWhole("--mtu", mtu, 576, 9216), rstp: values["rstp"] === true },
      };
    },
  },
};
