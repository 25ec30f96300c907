import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { type Nat, NatProtocol } from "../../../proto/gen/zor/v1/nat.js";
import { parseFields, parseWhole, singleField } from "../../kit/input/key-values.js";
import { type CommandInput, type Flag, flagText, flagTexts, type KindCommands } from "../../kit/kind-commands.js";
import { readPortFlag } from "../../kit/input/port-settings-flag.js";
import { idOf } from "../../kit/resource-name.js";

const subnetFlags: readonly Flag[] = [
  { flags: "--subnet <cidr>", help: "IPv4 subnet; its first address is the gateway's (default: 10.77.0.0/24)" },
  {
    flags: "--subnet6 <cidr>",
    help: 'IPv6 subnet, a /64 of fc00::/7, or "none" (default: one that goes with --subnet)',
  },
];

const liveFlags: readonly Flag[] = [
  { flags: "--lan <lan>", help: "lan of the host that it is plugged into", kind: "lan" },
  { flags: "--port <fields>", help: "what the lan does with its frames, as of --nic: vlan=10; empty: nothing" },
  { flags: "--domain <name>", help: "domain of the names of instances (default: lab)" },
  { flags: "--dhcp-range <first-last>", help: "addresses that are given by DHCP (default: the whole subnet)" },
  {
    flags: "--reserve <fields>",
    help: "keep an address: mac=02:00:00:00:00:01 or nic=web/eth0, address=10.1.0.9, name=…; may be repeated",
    repeatable: true,
  },
  {
    flags: "--forward <[address:]port:guest[:port][/udp]>",
    help: "lead a port of the host to a guest: 8080:10.1.0.9:80; may be repeated",
    repeatable: true,
  },
  {
    flags: "--boot-dir <directory>",
    help: "serve the files of a directory of the host by TFTP (the agent's netbootDirs)",
  },
  { flags: "--boot-file <file>", help: "what guests start from it over the network" },
];

const protocols: Readonly<Record<string, NatProtocol>> = {
  tcp: NatProtocol.NAT_PROTOCOL_TCP,
  udp: NatProtocol.NAT_PROTOCOL_UDP,
};

/** What the command line can say of nats. */
export const natCommands: KindCommands<Nat> = {
  create: {
    description:
      "Give a lan a way out: a gateway with addresses by DHCP, names of the lab's instances, and port forwards.",
    flags: [...subnetFlags, ...liveFlags, { flags: "--no-dhcp", help: "give no addresses; guests set their own" }],
    examples: [
      "alpha/n1 --lan lan1",
      "alpha/n1 --lan lan1 --subnet 10.1.0.0/24 --reserve nic=web/eth0,address=10.1.0.9 --forward 8080:10.1.0.9:80",
      "alpha/pxe --lan boot --boot-dir /srv/tftp --boot-file pxelinux.0",
    ],
    read: async (input) => {
      const { values } = input;
      const [subnet = "", subnet6 = ""] = [flagText(values, "subnet"), flagText(values, "subnet6")];
      return { spec: { subnet, subnet6, noDhcp: values["dhcp"] === false, ...(await readLive(input)).spec } };
    },
  },
  set: {
    description: "Change a nat while guests use it. What is not said stays; --reserve and --forward say all there are.",
    flags: [
      ...liveFlags,
      { flags: "--no-lan", help: "take it out of its lan" },
      { flags: "--dhcp", help: "give addresses" },
      { flags: "--no-dhcp", help: "give no addresses" },
      { flags: "--no-reserve", help: "keep no addresses" },
      { flags: "--no-forward", help: "lead no ports to guests" },
      { flags: "--no-boot", help: "serve no files" },
    ],
    examples: [
      "alpha/n1 --forward 8080:10.1.0.9:80 --forward 5353:10.1.0.9:53/udp",
      "alpha/n1 --no-forward",
      "alpha/n1 --lan lan2",
    ],
    read: async (input) => {
      const { values } = input;
      const { spec, paths } = await readLive(input);
      const cleared = [
        ...(values["lan"] === false ? ["lan"] : []),
        ...(values["reserve"] === false ? ["reservations"] : []),
        ...(values["forward"] === false ? ["forwards"] : []),
        ...(values["boot"] === false ? ["boot"] : []),
      ];
      const dhcp = typeof values["dhcp"] === "boolean" ? { noDhcp: !values["dhcp"] } : {};
      const all = [...paths, ...cleared, ...(typeof values["dhcp"] === "boolean" ? ["no_dhcp"] : [])];
      return { resource: { spec: { ...spec, ...dhcp } }, paths: all.map((path) => `spec.${path}`) };
    },
  },
};

/** What can be said at any time, with the fields that it is of. */
async function readLive({
  values,
  resolve,
}: Pick<CommandInput, "values" | "resolve">): Promise<{ readonly spec: object; readonly paths: readonly string[] }> {
  const lan = flagText(values, "lan");
  const domain = flagText(values, "domain");
  const port = flagText(values, "port");
  const range = flagText(values, "dhcpRange");
  const [reservations, forwards] = [flagTexts(values, "reserve"), flagTexts(values, "forward")];
  const [directory, file] = [flagText(values, "bootDir"), flagText(values, "bootFile")];
  if ((directory === undefined) !== (file === undefined)) {
    throw invalidArgument(
      directory === undefined ? "--boot-dir" : "--boot-file",
      "--boot-dir and --boot-file go together",
    );
  }
  const parts: readonly (readonly [path: string, value: object])[] = [
    ...(lan === undefined ? [] : [["lan", { lan: idOf(await resolve("lan", lan)) }] as const]),
    ...(port === undefined ? [] : [["port_settings", { portSettings: readPortFlag(port) }] as const]),
    ...(domain === undefined ? [] : [["domain", { domain }] as const]),
    ...(range === undefined ? [] : readRange(range)),
    ...(reservations.length === 0
      ? []
      : [["reservations", { reservations: reservations.map(readReservation) }] as const]),
    ...(forwards.length === 0 ? [] : [["forwards", { forwards: forwards.map(readForward) }] as const]),
    ...(directory === undefined ? [] : [["boot", { boot: { directory, file } }] as const]),
  ];
  return { spec: Object.assign({}, ...parts.map(([, value]) => value)) as object, paths: parts.map(([path]) => path) };
}

function readRange(text: string): readonly (readonly [string, object])[] {
  const [dhcpFirst = "", dhcpLast = "", ...rest] = text.split("-");
  if (dhcpFirst === "" || dhcpLast === "" || rest.length > 0) {
    throw invalidArgument(
      "--dhcp-range",
      `${quote(text)} does not have the form FIRST-LAST, as in 10.1.0.100-10.1.0.199`,
    );
  }
  return [
    ["dhcp_first", { dhcpFirst }],
    ["dhcp_last", { dhcpLast }],
  ];
}

function readReservation(text: string): object {
  const fields = parseFields("--reserve", text, ["mac", "nic", "address", "name"]);
  const [mac, nic, address, name] = ["mac", "nic", "address", "name"].map(
    (key) => singleField("--reserve", fields, key) ?? "",
  );
  return { mac, nic, address, name };
}

/** Reads "[ADDRESS:]PORT:GUEST[:PORT][/udp]". */
function readForward(text: string): object {
  const ip = String.raw`\d{1,3}(?:\.\d{1,3}){3}`;
  const form = new RegExp(String.raw`^(?:(${ip}):)?(\d{1,5}):(${ip})(?::(\d{1,5}))?(?:/(tcp|udp))?$`);
  const match = form.exec(text);
  if (match === null) {
    throw invalidArgument(
      "--forward",
      `${quote(text)} does not have the form [ADDRESS:]PORT:GUEST[:PORT][/udp], as in 8080:10.1.0.9:80`,
    );
  }
  const [, listenAddress = "", listen = "", address = "", to = listen, protocol = "tcp"] = match;
  return {
    protocol: protocols[protocol],
    listenAddress,
    listenPort: parseWhole("--forward", listen, 1, 65_535),
    address,
    port: parseWhole("--forward", to, 1, 65_535),
  };
}
