import type { Command } from "commander";
import { LinkSpec } from "../../../proto/gen/zor/v1/link.js";
import { LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { escapeText } from "../../client/escape.js";
import { formatRtt, linkPathName } from "../../client/format.js";
import { shortName } from "../../client/short-name.js";
import { type Registrar, repeatable, responseOutput, withExamples } from "../command.js";
import { parsePairs } from "../input/key-values.js";
import { kinds } from "../kinds.js";
import { resolveLocally, resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface CreateLinkOptions {
  readonly output: OutputFormat;
  readonly label: readonly string[];
  readonly wait: boolean;
  readonly dryRun?: boolean;
}

/** `zor create link NAME A B`. */
export function defineCreateLink(create: Command, open: Registrar["open"]): void {
  const command = create
    .command("link")
    .description("Create a link: a cable between two lans on two hosts. Waits until frames cross both ways.")
    .argument("<name>", "name of the link")
    .argument("<a>", "lan at one end, HOST/LAN")
    .argument("<b>", "lan at the other end, HOST/LAN")
    .option("--no-wait", "return once the hub has taken it on")
    .addOption(repeatable("--label <key=value>", "free-form label; may be repeated"))
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string, a: string, b: string, options: CreateLinkOptions) => {
      const session = open(command);
      const name = resolveLocally(kinds.link, text) ?? text;
      const ends = await Promise.all([a, b].map((end) => resolveName(session, kinds.lan, end)));
      const [endA = "", endB = ""] = ends;
      const method = LinkServiceService.createLink;
      const response = await session.call(method, {
        linkId: shortName(name),
        link: {
          name: "",
          uid: "",
          labels: parsePairs("--label", options.label),
          spec: LinkSpec.fromPartial({ a: endA, b: endB }),
          status: undefined,
          createTime: undefined,
        },
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
  );
}

function plainText(name: string, { dryRun }: CreateLinkOptions): string {
  return `link ${shortName(name)} ${dryRun === true ? "could be created; nothing was changed" : "is being set up; see: zor get links"}`;
}

/** How the link came up: the path it takes and its round trip. */
async function activeText(session: Session, name: string): Promise<string> {
  const { link } = await session.call(LinkServiceService.getLink, { name });
  const path = link?.status === undefined ? "" : linkPathName(link.status.path);
  const facts = [path, link?.status?.rtt === undefined ? "" : `RTT ${formatRtt(link.status.rtt)}`];
  const known = facts.filter((fact) => fact !== "").join(", ");
  return `link ${shortName(name)} is ACTIVE${known === "" ? "" : ` (${known})`}`;
}
