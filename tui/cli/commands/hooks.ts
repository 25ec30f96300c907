import { invalidArgument } from "../../../lib/errors.js";
import { type DeadLetter, type Hook, HookServiceService } from "../../../proto/gen/zor/v1/hook_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { type Registrar, responseOutput, withExamples, withNotes } from "../command.js";
import type { OutputFormat } from "../session.js";

interface Output {
  readonly output: OutputFormat;
}

/** `zor hooks`. */
export function define({ program, open }: Registrar): void {
  const group = program
    .command("hooks")
    .description("Whom events are told to: webhooks and programs, as the hub's or agent's configuration has them.");

  const list = group
    .command("list")
    .description("Show hooks and how they do.")
    .addOption(responseOutput())
    .action(async ({ output }: Output) => {
      const session = open(list);
      const method = HookServiceService.listHooks;
      const response = await session.call(method, {});
      if (response.hooks.length === 0 && output === "text")
        session.note("no hooks; they are made in the configuration");
      else await session.printResponse(output, method, response, () => response.hooks.map(hookText).join("\n"));
    });

  const dead = group
    .command("dead")
    .description("Show events that could not be delivered.")
    .argument("[hook]", "only those of this hook")
    .addOption(responseOutput())
    .action(async (hook: string | undefined, { output }: Output) => {
      const session = open(dead);
      const method = HookServiceService.listDeadLetters;
      const response = await session.call(method, { hook: hook ?? "" });
      if (response.letters.length === 0 && output === "text") session.note("no dead letters");
      else await session.printResponse(output, method, response, () => response.letters.map(letterText).join("\n"));
    });

  for (const { name, does, method, done } of [
    {
      name: "retry",
      does: "Deliver dead letters again, each once; those that fail again stay.",
      method: HookServiceService.retryDeadLetters,
      done: "on their way",
    },
    {
      name: "drop",
      does: "Forget dead letters.",
      method: HookServiceService.dropDeadLetters,
      done: "dropped",
    },
  ]) {
    const command = group
      .command(name)
      .description(does)
      .argument("<hook>", "the hook")
      .argument("[id...]", "letters, by the ids that zor hooks dead shows")
      .option("--all", "all letters of the hook")
      .addOption(responseOutput())
      .action(async (hook: string, ids: readonly string[], { all, output }: Output & { readonly all?: boolean }) => {
        if (ids.length > 0 === (all === true)) throw invalidArgument("id", "name letters, or give --all");
        const session = open(command);
        const response = await session.call(method, { hook, ids: [...ids], requestId: session.requestId() });
        await session.printResponse(output, method, response, () => `${response.count} ${done}`);
      });
  }

  withNotes(
    group,
    `Hooks are made in the configuration file of the hub or an agent only (docs/events.md). Each delivers the events that it wants
one after the other, at least once, and goes on where it was after a restart.`,
  );
  withExamples(
    group,
    "zor hooks list",
    "zor hooks dead pager",
    "zor hooks retry pager --all",
    "zor hooks drop pager ID",
  );
}

function hookText({ name, target, delivered, deadLetters, attempts, error }: Hook): string {
  const trying = attempts > 1 ? `, at attempt ${attempts}` : "";
  const why = error === "" ? "" : `: ${error}`;
  return escapeText(`${name}  ${target}  ${delivered} delivered, ${deadLetters} dead letters${trying}${why}`);
}

function letterText({ hook, id, event, attempts, error, time }: DeadLetter): string {
  const when = time?.toISOString() ?? "-";
  return escapeText(`${hook}  ${id}  ${when}  ${event?.type ?? ""}  ${attempts} attempts: ${error}`);
}
