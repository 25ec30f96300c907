import type { Tap } from "../../../proto/gen/zor/v1/tap.js";
import { lanPlugFlags, noLanFlag, readLanPlug } from "../../kit/input/lan-plug-flags.js";
import { type CommandInput, type Flag, flagText, flagTexts, type KindCommands } from "../../kit/kind-commands.js";
import { idOf } from "../../kit/resource-name.js";

const liveFlags: readonly Flag[] = [
  ...lanPlugFlags,
  { flags: "--addr <address>", help: "address with prefix length, 10.9.0.1/24; may be repeated", repeatable: true },
];

/** What the command line can say of taps. */
export const tapCommands: KindCommands<Tap> = {
  create: {
    description:
      "Plug the host itself, or a net namespace on it, into a lan by an interface of its own. The agent's setting taps says where it may be.",
    flags: [
      { flags: "--device <name>", help: "name of the interface (default: the tap's)" },
      { flags: "--netns <name>", help: "net namespace that it is in (default: the host's own)" },
      { flags: "--mac <address>", help: "MAC address (default: a stable one)" },
      ...liveFlags,
    ],
    examples: ["alpha/lab0 --lan lan1 --addr 10.9.0.1/24", "alpha/probe --lan lan1 --netns probe --device eth0"],
    read: async (input) => {
      const { name, values } = input;
      const [device = idOf(name), netns = "", mac = ""] = ["device", "netns", "mac"].map((key) =>
        flagText(values, key),
      );
      return { spec: { device, netns, mac, ...(await readLive(input)).spec } };
    },
  },
  set: {
    description: "Change a tap while it is used. What is not said stays; --addr says all addresses.",
    flags: [...liveFlags, noLanFlag, { flags: "--no-addr", help: "take all addresses" }],
    examples: ["alpha/lab0 --lan lan2", "alpha/lab0 --addr 10.9.0.1/24 --addr fd12::1/64"],
    read: async (input) => {
      const { spec, paths } = await readLive(input);
      const cleared = input.values["addr"] === false ? ["spec.addresses"] : [];
      return { resource: { spec }, paths: [...paths, ...cleared] };
    },
  },
};

/** What can be said at any time, with the fields that it is of. */
async function readLive(
  input: Pick<CommandInput, "values" | "resolve">,
): Promise<{ readonly spec: object; readonly paths: readonly string[] }> {
  const { spec, paths } = await readLanPlug(input);
  const addresses = flagTexts(input.values, "addr");
  return addresses.length === 0
    ? { spec, paths }
    : { spec: { ...spec, addresses }, paths: [...paths, "spec.addresses"] };
}
