import type { Tap } from "../../../proto/gen/zor/v1/tap.js";
import { readPortFlag } from "../../kit/input/port-settings-flag.js";
import { type CommandInput, type Flag, flagText, flagTexts, type KindCommands } from "../../kit/kind-commands.js";
import { idOf } from "../../kit/resource-name.js";

const liveFlags: readonly Flag[] = [
  { flags: "--lan <lan>", help: "lan of the host that it is plugged into", kind: "lan" },
  { flags: "--addr <address>", help: "address with prefix length, 10.9.0.1/24; may be repeated", repeatable: true },
  { flags: "--port <fields>", help: "what the lan does with its frames, as of --nic: vlan=10; empty: nothing" },
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
    flags: [
      ...liveFlags,
      { flags: "--no-lan", help: "take it out of its lan" },
      { flags: "--no-addr", help: "take all addresses" },
    ],
    examples: ["alpha/lab0 --lan lan2", "alpha/lab0 --addr 10.9.0.1/24 --addr fd12::1/64"],
    read: async (input) => {
      const { spec, paths } = await readLive(input);
      const cleared = [
        ...(input.values["lan"] === false ? ["lan"] : []),
        ...(input.values["addr"] === false ? ["addresses"] : []),
      ];
      return { resource: { spec }, paths: [...paths, ...cleared].map((path) => `spec.${path}`) };
    },
  },
};

/** What can be said at any time, with the fields that it is of. */
async function readLive({
  values,
  resolve,
}: Pick<CommandInput, "values" | "resolve">): Promise<{ readonly spec: object; readonly paths: readonly string[] }> {
  const [lan, port] = [flagText(values, "lan"), flagText(values, "port")];
  const addresses = flagTexts(values, "addr");
  const spec = {
    ...(lan === undefined ? {} : { lan: idOf(await resolve("lan", lan)) }),
    ...(port === undefined ? {} : { portSettings: readPortFlag(port) }),
    ...(addresses.length === 0 ? {} : { addresses }),
  };
  const paths = { lan: "lan", portSettings: "port_settings", addresses: "addresses" } as const;
  return { spec, paths: Object.entries(paths).flatMap(([key, path]) => (key in spec ? [path] : [])) };
}
