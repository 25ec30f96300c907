import { toOptionalDuration } from "../../../lib/duration.js";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { type Phy, PhyMode } from "../../../proto/gen/zor/v1/phy.js";
import { parseDurationMs } from "../../kit/input/durations.js";
import { readPortFlag } from "../../kit/input/port-settings-flag.js";
import { type CommandInput, type Flag, flagText, type KindCommands } from "../../kit/kind-commands.js";
import { idOf } from "../../kit/resource-name.js";

const liveFlags: readonly Flag[] = [
  { flags: "--lan <lan>", help: "lan of the host that it is in", kind: "lan" },
  { flags: "--port <fields>", help: "what the lan does with its frames, as of --nic: vlan=10; empty: nothing" },
];

const modes: Readonly<Record<string, PhyMode>> = {
  absorb: PhyMode.PHY_MODE_ABSORB,
  macvlan: PhyMode.PHY_MODE_MACVLAN,
  vlan: PhyMode.PHY_MODE_VLAN,
};

/** What the command line can say of phys. */
export const phyCommands: KindCommands<Phy> = {
  create: {
    description:
      "Put an interface of the host, such as a network card, into a lan. It is given back as it was found. The agent's setting phys says which.",
    flags: [
      { flags: "--device <name>", help: "name of the interface (default: the phy's)" },
      { flags: "--mode <mode>", help: "absorb: the interface itself; macvlan or vlan: one that stands on it" },
      { flags: "--vlan-id <id>", help: "VLAN of mode vlan" },
      { flags: "--mac <address>", help: "MAC address of mode macvlan (default: a stable one)" },
      { flags: "--force", help: "also the one that the host is reached by; needs --confirm-within" },
      { flags: "--confirm-within <time>", help: "given back unless confirmed by then: 30s; see zor confirm" },
      ...liveFlags,
    ],
    examples: [
      "alpha/uplink --device eth1 --lan lan1",
      "alpha/v10 --device eth1 --mode vlan --vlan-id 10 --lan lan1",
      "alpha/up --device eth0 --lan lan1 --force --confirm-within 30s",
    ],
    read: async (input) => {
      const { name, values } = input;
      const [device = idOf(name), mac = "", within] = ["device", "mac", "confirmWithin"].map((key) =>
        flagText(values, key),
      );
      const force = values["force"] === true;
      if (force && within === undefined) {
        throw invalidArgument("--force", "needs --confirm-within, such as 30s: it is given back unless you confirm it");
      }
      const confirmWithin =
        within === undefined ? undefined : toOptionalDuration(parseDurationMs("--confirm-within", within));
      const said = { device, mac, mode: readMode(values), vlanId: readVlan(values), force, confirmWithin };
      return { spec: { ...said, ...(await readLive(input)).spec } };
    },
  },
  set: {
    description: "Put a phy into another lan, or give its interface back to the host for a while.",
    flags: [...liveFlags, { flags: "--no-lan", help: "take it out of its lan; the host has it again" }],
    examples: ["alpha/uplink --lan lan2", "alpha/uplink --no-lan", "alpha/uplink --port vlan=10"],
    read: async (input) => {
      const { spec, paths } = await readLive(input);
      const cleared = input.values["lan"] === false ? ["lan"] : [];
      return { resource: { spec }, paths: [...paths, ...cleared].map((path) => `spec.${path}`) };
    },
  },
};

function readMode(values: CommandInput["values"]): PhyMode {
  const text = flagText(values, "mode");
  if (text === undefined) return PhyMode.PHY_MODE_ABSORB;
  const mode = modes[text];
  if (mode !== undefined) return mode;
  throw invalidArgument("--mode", `${quote(text)} is none of ${Object.keys(modes).join(", ")}`);
}

function readVlan(values: CommandInput["values"]): number {
  const text = flagText(values, "vlanId");
  if (text === undefined) return 0;
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw invalidArgument("--vlan-id", `${quote(text)} is not a VLAN, 1 to 4094`);
}

/** What can be said at any time, with the fields that it is of. */
async function readLive({
  values,
  resolve,
}: Pick<CommandInput, "values" | "resolve">): Promise<{ readonly spec: object; readonly paths: readonly string[] }> {
  const [lan, port] = [flagText(values, "lan"), flagText(values, "port")];
  const spec = {
    ...(lan === undefined ? {} : { lan: idOf(await resolve("lan", lan)) }),
    ...(port === undefined ? {} : { portSettings: readPortFlag(port) }),
  };
  const paths = { lan: "lan", portSettings: "port_settings" } as const;
  return { spec, paths: Object.entries(paths).flatMap(([key, path]) => (key in spec ? [path] : [])) };
}
