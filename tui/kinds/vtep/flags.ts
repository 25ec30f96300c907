import type { Vtep } from "../../../proto/gen/zor/v1/vtep.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { lanPlugFlags, noLanFlag, readLanPlug } from "../../kit/input/lan-plug-flags.js";
import { type FlagValues, flagText, type KindCommands } from "../../kit/kind-commands.js";

/** What the command line can say of vteps. */
export const vtepCommands: KindCommands<Vtep> = {
  create: {
    description:
      "Join a lan with a foreign tunnel end by VXLAN, which is NOT ENCRYPTED. The agent's setting vteps says where it may lead.",
    flags: [
      { flags: "--remote <address>", help: "IP address of the other end" },
      { flags: "--vni <number>", help: "VXLAN network identifier, 1 to 16777215" },
      ...lanPlugFlags,
      { flags: "--dst-port <port>", help: "UDP port of both ends (default: 4789)" },
      { flags: "--local <address>", help: "address of the host to speak from (default: the route's)" },
    ],
    examples: [
      "alpha/v1 --lan lan1 --remote 10.0.0.9 --vni 42",
      "alpha/v1 --lan lan1 --remote 10.0.0.9 --vni 42 --dst-port 8472 --local 10.0.0.1",
    ],
    read: async (input) => {
      const { values } = input;
      const [remote = "", local = ""] = ["remote", "local"].map((key) => flagText(values, key));
      const vni = numberOf(values, "vni", { flag: "--vni", max: 16_777_215 });
      const dstPort = numberOf(values, "dstPort", { flag: "--dst-port", max: 65_535 });
      return { spec: { remote, local, dstPort, vni, ...(await readLanPlug(input)).spec } };
    },
  },
  set: {
    description: "Change where a vtep is plugged in while it is used. What is not said stays.",
    flags: [...lanPlugFlags, noLanFlag],
    examples: ["alpha/v1 --lan lan2", "alpha/v1 --port vlan=10"],
    read: async (input) => {
      const { spec, paths } = await readLanPlug(input);
      return { resource: { spec }, paths };
    },
  },
};

/** 0: it is not said. @throws {ZorError} */
function numberOf(
  values: FlagValues,
  key: string,
  { flag, max }: { readonly flag: string; readonly max: number },
): number {
  const text = flagText(values, key);
  return text === undefined ? 0 : parseWhole(flag, text, 1, max);
}
