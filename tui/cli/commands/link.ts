import type { Command } from "commander";
import { notFound } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { isOfKind, unpack } from "../../../lib/kinds/resource.js";
import { Link } from "../../../proto/gen/zor/v1/link.js";
import { LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { watchResponses } from "../../client/watch.js";
import { escapeText } from "../../kit/text/escape.js";
import { outputOption, type Registrar, ResourceArgument, withExamples } from "../command.js";
import { lossReporter } from "../loss-reporter.js";
import { defineKindList } from "../noun-list.js";
import { isStructured } from "../output/forms.js";
import { linkLine, linkText } from "../output/link-text.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

/** `zor link list|show|watch`. */
export function define({ program, open }: Registrar): void {
  const link = program.command("link").description("Look at one link closely.").helpCommand(false);
  defineKindList(link, open, "state = ACTIVE");
  defineShow(link, open);
  defineWatch(link, open);
}

function defineShow(link: Command, open: Registrar["open"]): void {
  const command = link
    .command("show")
    .description("Everything known of a link: its state, path and figures, and both ends as their hosts see them.")
    .addArgument(new ResourceArgument("<link>", "the link", "link"))
    .addOption(outputOption(["text", "json", "yaml", "name"], "text"))
    .action(async (text: string, { output }: { readonly output: OutputFormat }) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("link"), text);
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
    .addArgument(new ResourceArgument("<link>", "the link", "link"))
    .addOption(outputOption(["text", "json"], "text"))
    .action(async (text: string, { output }: { readonly output: OutputFormat }) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("link"), text);
      // Fails at once, with the reason, where the watch would wait for ever.
      await session.call(LinkServiceService.getLink, { name });
      using printer = new LinePrinter((link) => {
        if (isStructured(output)) void session.printItem(output, Link.toJSON(link));
        else session.print(escapeText(linkLine(link, new Date())));
      });
      const reportLoss = lossReporter(session);
      const watch = watchResponses(await session.connect(), {
        kinds: ["link"],
        parent: name,
        signal: session.io.signal,
        onState: (state) => {
          reportLoss(state);
          printer.holds = state.phase === "live";
        },
      });
      for await (const { step } of watch) {
        const resource = step?.$case === "upsert" ? unpack(step.value) : undefined;
        if (resource !== undefined && isOfKind(resource, "link")) printer.take(resource.value);
        if (step?.$case === "removed") throw notFound(name, "it was deleted");
      }
      session.io.signal.throwIfAborted();
    });
  withExamples(command, "zor link watch demo", "zor link watch demo -o json");
}

const lineMs = 1_000;
/** What comes so shortly after a line, of the other end, waits for the next. */
const togetherMs = 900;

/**
 * One line a second, and one for a change of state at once. Figures come from each end by itself, and those that stay the same are
 * not told again by the server: they hold as long as it is there.
 */
class LinePrinter implements Disposable {
  readonly #print: (link: Link) => void;
  readonly #timer = setInterval(() => this.#again(), lineMs);
  /** Whether what was told last still holds. */
  holds = true;
  #link: Link | undefined;
  #printedMs = Number.NEGATIVE_INFINITY;
  #key = "";

  constructor(print: (link: Link) => void) {
    this.#print = print;
  }

  take(link: Link): void {
    this.#link = link;
    const key = JSON.stringify([link.status?.state, link.status?.path, link.status?.reason]);
    if (this.#key === key && performance.now() - this.#printedMs < togetherMs) return;
    this.#key = key;
    this.#printNow(link);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #again(): void {
    if (this.#link === undefined || !this.holds || performance.now() - this.#printedMs < togetherMs) return;
    this.#printNow(this.#link);
  }

  #printNow(link: Link): void {
    this.#printedMs = performance.now();
    this.#print(link);
  }
}
