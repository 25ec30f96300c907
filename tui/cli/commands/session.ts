import type { Command } from "commander";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { SessionServiceService } from "../../../proto/gen/zor/v1/session_service.js";
import { ownerText, placeText } from "../../kinds/session/words.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { asChosen, type ChosenOptions, confirmedNames } from "../chosen.js";
import {
  dryRunOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  withExamples,
  withNotes,
  yesOption,
} from "../command.js";
import { forEachName } from "../for-each-name.js";
import { defineKindList } from "../noun-list.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

/** `zor session list|end`. */
export function define({ program, open }: Registrar): void {
  const session = program
    .command("session")
    .description("Show who is at consoles, terminals and shells, and end that.")
    .helpCommand(false);
  defineKindList(session, open, 'caller = "zor://user/ana"');
  defineEnd(session, open);
}

interface EndOptions extends ChosenOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly output: OutputFormat;
}

function defineEnd(session: Command, open: Registrar["open"]): void {
  const command = session
    .command("end")
    .description("End sessions: whose they are is told by whom.")
    .addArgument(new ResourceArgument("[sessions...]", "sessions, by their ids", "session"));
  asChosen(command)
    .addOption(yesOption())
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (names: string[], options: EndOptions) => {
      const run = open(command);
      const method = SessionServiceService.endSession;
      const kind = kindNamed("session");
      const chosen = await confirmedNames(run, { kind, done: "ends" }, names, options);
      await forEachName(run, chosen, options.output, async (text, part) => {
        const name = await resolveName(run, kind, text, options.host);
        const validateOnly = options.dryRun === true;
        const response = await run.call(method, { name, requestId: run.requestId(part), validateOnly });
        await run.printResponse(options.output, method, response, () => {
          const { session: ended } = response;
          if (options.output === "name" || ended === undefined) return escapeText(name);
          const what = `${ownerText(ended)}: ${placeText(ended)} of ${shortName(ended.target)}`;
          return escapeText(`${what} ${validateOnly ? "can be ended" : "was ended"}`);
        });
      });
    });
  withNotes(
    command,
    `Everybody may end their own sessions, operators those of others at instances,
admins also those in shells of hosts. An instance goes on whoever was at its
console; what was begun in a shell of a host ends with it.`,
  );
  withExamples(
    command,
    "zor session end alpha/3f9a1c2e5b",
    `zor session end --filter 'caller = "zor://user/ana"' --yes`,
  );
}
