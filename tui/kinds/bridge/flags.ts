import type { Bridge } from "../../../proto/gen/zor/v1/bridge.js";
import { lanPlugFlags, noLanFlag, readLanPlug } from "../../kit/input/lan-plug-flags.js";
import { type Flag, flagText, type KindCommands } from "../../kit/kind-commands.js";

const dhcpOut: Flag = {
  flags: "--dhcp-out",
  help: "let DHCP servers and IPv6 routers of the lan be heard in the bridge",
};

/** What the command line can say of bridges. */
export const bridgeCommands: KindCommands<Bridge> = {
  create: {
    description:
      "Join a lan with a bridge that the host has already, of Linux or Open vSwitch, by a port in it. The agent's setting bridges says with which.",
    flags: [{ flags: "--bridge <name>", help: "the host's bridge" }, ...lanPlugFlags, dhcpOut],
    examples: ["alpha/br --lan lan1 --bridge br0", "alpha/br --lan lan1 --bridge br0 --port vlan=10"],
    read: async (input) => {
      const { spec } = await readLanPlug(input);
      return {
        spec: { bridge: flagText(input.values, "bridge") ?? "", dhcpOut: input.values["dhcpOut"] === true, ...spec },
      };
    },
  },
  set: {
    description: "Change how a bridge is joined while it is used. What is not said stays.",
    flags: [...lanPlugFlags, noLanFlag, dhcpOut, { flags: "--no-dhcp-out", help: "keep them in the lan" }],
    examples: ["alpha/br --lan lan2", "alpha/br --no-dhcp-out"],
    read: async (input) => {
      const { spec, paths } = await readLanPlug(input);
      const value = input.values["dhcpOut"];
      const said = typeof value === "boolean";
      return {
        resource: { spec: { ...spec, ...(said ? { dhcpOut: value } : {}) } },
        paths: [...paths, ...(said ? ["spec.dhcp_out"] : [])],
      };
    },
  },
};
