import { type Command, Option } from "commander";
import { Link, LinkEncryption, type LinkSpec, LinkTransport, LoopPolicy } from "../../../proto/gen/zor/v1/link.js";
import { LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { formatRtt } from "../../kit/format.js";
import { linkStateName } from "../../kinds/link/states.js";
import { shortName } from "../../kit/resource-name.js";
import { type Registrar, repeatable, responseOutput, withExamples } from "../command.js";
import { addImpairmentOptions, readImpairmentFlags } from "../input/impairment-flags.js";
import { parsePairs } from "../input/key-values.js";
import { kinds } from "../kinds.js";
import { pathText } from "../output/link-words.js";
import { resolveLocally, resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface CreateLinkOptions {
  readonly output: OutputFormat;
  readonly label: readonly string[];
  readonly transport: keyof typeof transports;
  readonly encryption?: keyof typeof encryptions;
  readonly loop: keyof typeof loops;
  readonly wait: boolean;
  readonly dryRun?: boolean;
}

const transports = { tcp: LinkTransport.LINK_TRANSPORT_TCP, vxlan: LinkTransport.LINK_TRANSPORT_VXLAN };
const encryptions = { tls: LinkEncryption.LINK_ENCRYPTION_TLS, none: LinkEncryption.LINK_ENCRYPTION_NONE };
const loops = { refuse: LoopPolicy.LOOP_POLICY_REFUSE, rstp: LoopPolicy.LOOP_POLICY_RSTP };

/** `zor create link NAME A B`. */
export function defineCreateLink(create: Command, open: Registrar["open"]): void {
  const command = create
    .command("link")
    .description("Create a link: a cable between two lans, of two hosts or of one. Waits until frames cross both ways.")
    .argument("<name>", "name of the link")
    .argument("<a>", "lan at one end, HOST/LAN")
    .argument("<b>", "lan at the other end, HOST/LAN")
    .addOption(
      new Option("--transport <transport>", "vxlan: the kernel's, for trusted underlays, UNENCRYPTED")
        .choices(Object.keys(transports))
        .default("tcp"),
    )
    .addOption(
      new Option(
        "--encryption <encryption>",
        "none: frames cross in clear; both agents must allow it (default: tls, and none for vxlan)",
      ).choices(Object.keys(encryptions)),
    )
    .addOption(
      new Option("--loop <policy>", "when it would close a loop of lans; rstp: allow it where all of them run RSTP")
        .choices(Object.keys(loops))
        .default("refuse"),
    );
  addImpairmentOptions(command, false)
    .option("--no-wait", "return once the hub has taken it on")
    .addOption(repeatable("--label <key=value>", "free-form label; may be repeated"))
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string, a: string, b: string, options: CreateLinkOptions) => {
      const session = open(command);
      const name = resolveLocally(kinds.link, text) ?? text;
      const ends = await Promise.all([a, b].map((end) => resolveName(session, kinds.lan, end)));
      const [endA = "", endB = ""] = ends;
      const nothing = { aToB: undefined, bToA: undefined, seed: 0n, schedule: [] };
      const spec: LinkSpec = {
        a: endA,
        b: endB,
        transport: transports[options.transport],
        encryption: encryptionOf(options),
        loop: loops[options.loop],
        ...(await readImpairmentFlags(command.opts(), nothing)),
      };
      const method = LinkServiceService.createLink;
      const response = await session.call(method, {
        linkId: shortName(name),
        link: Link.fromPartial({ labels: parsePairs("--label", options.label), spec }),
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
      });
      const follow = options.wait && options.dryRun !== true;
      const operation = follow
        ? await session.follow(response.operation, `linking ${shortName(endA)} and ${shortName(endB)}`)
        : response.operation;
      const said = follow && options.output === "text" ? await activeText(session, name) : plainText(name, options);
      await session.printResponse(options.output, method, { operation }, () =>
        options.output === "name" ? name : escapeText(said),
      );
    });
  withExamples(
    command,
    "zor create link demo alpha/lan1 beta/lan1",
    "zor create link demo alpha/lan1 beta/lan1 --no-wait -o json",
    "zor create link wan alpha/lan1 beta/lan1 --delay 40ms --loss 0.5%",
    "zor create link fast alpha/lan1 beta/lan1 --transport vxlan",
    "zor create link patch alpha/lan1 alpha/lan2",
  );
}

/** Not said: the default of the transport. */
function encryptionOf({ encryption }: CreateLinkOptions): LinkEncryption {
  return encryption === undefined ? LinkEncryption.LINK_ENCRYPTION_UNSPECIFIED : encryptions[encryption];
}

function plainText(name: string, { dryRun }: CreateLinkOptions): string {
  return `link ${shortName(name)} ${dryRun === true ? "could be created; nothing was changed" : "is being set up; see: zor get links"}`;
}

/** How the link came up: its state, the path it takes, its round trip, and whether it is in clear. */
async function activeText(session: Session, name: string): Promise<string> {
  const { link } = await session.call(LinkServiceService.getLink, { name });
  const facts = [
    link === undefined ? "" : pathText(link),
    link?.status?.rtt === undefined ? "" : `RTT ${formatRtt(link.status.rtt)}`,
  ];
  const known = facts.filter((fact) => fact !== "").join(", ");
  const state = link?.status === undefined ? "ACTIVE" : linkStateName(link.status.state);
  const reason = link?.status?.reason ? `: ${link.status.reason}` : "";
  return `link ${shortName(name)} is ${state}${known === "" ? "" : ` (${known})`}${reason}`;
}
