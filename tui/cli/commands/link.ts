import type { Command } from "commander";
import { notFound } from "../../../lib/errors.js";
import { Link } from "../../../proto/gen/zor/v1/link.js";
import { LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { ResourceKind } from "../../../proto/gen/zor/v1/watch_service.js";
import { escapeText } from "../../client/escape.js";
import { watchResponses } from "../../client/watch.js";
import { outputOption, type Registrar, withExamples } from "../command.js";
import { kinds } from "../kinds.js";
import { lossReporter } from "../loss-reporter.js";
import { linkLine, linkText } from "../output/link-text.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

/** `zor link show|watch`. */
export function define({ program, open }: Registrar): void {
  const link = program.command("link").description("Look at one link closely.").helpCommand(false);
  defineShow(link, open);
  defineWatch(link, open);
}

function defineShow(link: Command, open: Registrar["open"]): void {
  const command = link
    .command("show")
    .description("Everything known of a link: its state, path and figures, and both ends as their hosts see them.")
    .argument("<link>", "the link")
    .addOption(outputOption(["text", "json", "yaml", "name"], "text"))
    .action(async (text: string, { output }: { readonly output: OutputFormat }) => {
      const session = open(command);
      const name = await resolveName(session, kinds.link, text);
      const method = LinkServiceService.getLink;
      const response = await session.call(method, { name });
      await session.printResponse(output, method, response, () => {
        if (output === "name" || response.link === undefined) return escapeText(name);
        return linkText(response.link, new Date()).map(escapeText).join("\n");
      });
    });
  withExamples(command, "zor link show demo", "zor link show demo -o json | jq .link.status.rttP99");
}

function defineWatch(link: Command, open: Registrar["open"]): void {
  const command = link
    .command("watch")
    .description("One line a second on a link: state, path, round trip, loss and throughput, until interrupted.")
    .argument("<link>", "the link")
    .addOption(outputOption(["text", "json"], "text"))
    .action(async (text: string, { output }: { readonly output: OutputFormat }) => {
      const session = open(command);
      const name = await resolveName(session, kinds.link, text);
      // Fails at once, with the reason, where the watch would wait for ever.
      await session.call(LinkServiceService.getLink, { name });
      const printer = new LinePrinter((link) => {
        if (output === "json") session.printJsonLine(Link.toJSON(link));
        else session.print(escapeText(linkLine(link, new Date())));
      });
      const watch = watchResponses(await session.connect(), {
        kinds: [ResourceKind.RESOURCE_KIND_LINK],
        parent: name,
        signal: session.io.signal,
        onState: lossReporter(session),
      });
      for await (const { step } of watch) {
        if (step?.$case === "upsert" && step.value.resource?.$case === "link") printer.take(step.value.resource.value);
        if (step?.$case === "removed") throw notFound(name, "it was deleted");
      }
      session.io.signal.throwIfAborted();
    });
  withExamples(command, "zor link watch demo", "zor link watch demo -o json");
}

/** Figures come from each end by itself: one line a second is told of both, and a change of state at once. */
class LinePrinter {
  readonly #print: (link: Link) => void;
  #last: { readonly atMs: number; readonly key: string } | undefined;

  constructor(print: (link: Link) => void) {
    this.#print = print;
  }

  take(link: Link): void {
    const atMs = performance.now();
    const key = JSON.stringify([link.status?.state, link.status?.path, link.status?.reason]);
    if (this.#last !== undefined && this.#last.key === key && atMs - this.#last.atMs < 900) return;
    this.#last = { atMs, key };
    this.#print(link);
  }
}
