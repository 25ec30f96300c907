import { parseDuration, toDuration } from "../../../lib/duration.js";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { type Link, LinkEncryption, type LinkSpec, LinkTransport, LoopPolicy } from "../../../proto/gen/zor/v1/link.js";
import { formatRtt } from "../../kit/format.js";
import { impairmentDetails } from "../../kit/impairment-text.js";
import {
  impairmentFlags,
  impairmentNote,
  readImpairment,
  readImpairmentChange,
} from "../../kit/input/impairment-flags.js";
import { readEnd } from "../../kit/input/nic-word.js";
import { type Flag, type FlagValues, flagText, type KindCommands } from "../../kit/kind-commands.js";
import { shortName } from "../../kit/resource-name.js";
import { linkStateName } from "./states.js";
import { pathText } from "./words.js";

const transports = { tcp: LinkTransport.LINK_TRANSPORT_TCP, vxlan: LinkTransport.LINK_TRANSPORT_VXLAN };
const encryptions = { tls: LinkEncryption.LINK_ENCRYPTION_TLS, none: LinkEncryption.LINK_ENCRYPTION_NONE };
const loops = { refuse: LoopPolicy.LOOP_POLICY_REFUSE, rstp: LoopPolicy.LOOP_POLICY_RSTP };

const carrierFlags: readonly Flag[] = [
  {
    flags: "--carrier-hold <time>",
    help: "a NIC keeps carrier for so long while the way to the other host is down; default 3s",
  },
  { flags: "--keep-carrier", help: "a NIC keeps carrier whatever happens behind it" },
];

/** What the command line can say of links. */
export const linkCommands: KindCommands<Link> = {
  create: {
    description:
      "Create a link: a cable between two lans, of two hosts or of one, or up to a NIC, tap or phy itself. Waits until frames cross both ways.",
    words: [
      { word: "<a>", help: "HOST/LAN, a NIC as HOST/INSTANCE:NIC, tap:HOST/TAP or phy:HOST/PHY", kind: "lan" },
      { word: "<b>", help: "the same at the other end", kind: "lan" },
    ],
    flags: [
      {
        flags: "--transport <transport>",
        help: "vxlan: the kernel's, for trusted underlays, UNENCRYPTED",
        choices: Object.keys(transports),
        default: "tcp",
      },
      {
        flags: "--encryption <encryption>",
        help: "none: frames cross in clear; both agents must allow it (default: tls, and none for vxlan)",
        choices: Object.keys(encryptions),
      },
      {
        flags: "--loop <policy>",
        help: "when it would close a loop of lans; rstp: allow it where all of them run RSTP",
        choices: Object.keys(loops),
        default: "refuse",
      },
      ...carrierFlags,
      ...impairmentFlags({ live: false }),
    ],
    note: impairmentNote,
    examples: [
      "demo alpha/lan1 beta/lan1",
      "demo alpha/lan1 beta/lan1 --no-wait -o json",
      "wan alpha/lan1 beta/lan1 --delay 40ms --loss 0.5%",
      "fast alpha/lan1 beta/lan1 --transport vxlan",
      "patch alpha/lan1 alpha/lan2",
      "w1 alpha/r1:eth1 beta/r2:eth1 --carrier-hold 1s",
      "w2 alpha/r1:eth2 tap:beta/t1",
    ],
    read: async (input) => {
      const { words, values, resolve } = input;
      const [a, b] = await Promise.all(
        words.map((end) => (end.includes(":") ? readEnd(input, end) : resolve("lan", end))),
      );
      const ends = { a, b, transport: choice(transports, values, "transport"), loop: choice(loops, values, "loop") };
      // Not said: the default of the transport.
      const encryption = choice(encryptions, values, "encryption") ?? LinkEncryption.LINK_ENCRYPTION_UNSPECIFIED;
      return { spec: { ...ends, encryption, ...readCarrier(values), ...(await readImpairment(values)) } };
    },
    making: (_, { spec }) => `linking ${shortName(spec?.a ?? "")} and ${shortName(spec?.b ?? "")}`,
    done: ({ name, resource }) => activeText(name, resource),
  },
  set: {
    description: "Change what a link does to frames, and its labels, while they pass. What is not said stays.",
    flags: impairmentFlags({ live: true }),
    note: impairmentNote,
    examples: ["demo --delay 50ms --loss 1%", 'demo --at "30s for 10s ab: loss 20%"', "demo --clear"],
    read: ({ values }) => readImpairmentChange(values),
    done: ({ name, resource }) => {
      const { aToB, bToA } = resource?.spec ?? {};
      return `link ${shortName(name)}: a>b ${impairmentDetails(aToB)}; b>a ${impairmentDetails(bToA)}`;
    },
  },
};

/** What flags say of the carrier of NICs at the ends. */
function readCarrier(values: FlagValues): Partial<Pick<LinkSpec, "carrierHold" | "keepCarrier">> {
  const text = flagText(values, "carrierHold");
  const ms = text === undefined ? undefined : parseDuration(text);
  if (text !== undefined && ms === undefined)
    throw invalidArgument("--carrier-hold", `${quote(text)} is not a time such as 500ms or 3s`);
  return {
    ...(ms === undefined ? {} : { carrierHold: toDuration(ms) }),
    ...(values["keepCarrier"] === true ? { keepCarrier: true } : {}),
  };
}

function choice<T>(values: Readonly<Record<string, T>>, flags: FlagValues, name: string): T | undefined {
  return values[flagText(flags, name) ?? ""];
}

/** How the link came up: its state, the path it takes, its round trip, and whether it is in clear. */
function activeText(name: string, link: Link | undefined): string {
  const facts = [
    link === undefined ? "" : pathText(link),
    link?.status?.rtt === undefined ? "" : `RTT ${formatRtt(link.status.rtt)}`,
  ];
  const known = facts.filter((fact) => fact !== "").join(", ");
  const state = link?.status === undefined ? "ACTIVE" : linkStateName(link.status.state);
  const reason = link?.status?.reason ? `: ${link.status.reason}` : "";
  return `link ${shortName(name)} is ${state}${known === "" ? "" : ` (${known})`}${reason}`;
}
