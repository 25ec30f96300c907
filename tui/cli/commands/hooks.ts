import { invalidArgument } from "../../../lib/errors.js";
import { type DeadLetter, type Hook, HookServiceService } from "../../../proto/gen/zor/v1/hook_service.js";
import { asList, type Registrar, responseOutput, withExamples, withNotes } from "../command.js";
import type { ListForm } from "../output/list-form.js";
import { printList } from "../output/print-list.js";
import { responseJson } from "../output/proto-json.js";
import type { Column } from "../output/table.js";
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
    .action(async (form: ListForm) => {
      const session = open(list);
      const method = HookServiceService.listHooks;
      const response = await session.call(method, {});
      await printList(session, form, {
        columns: hookColumns,
        rows: response.hooks,
        nameOf: ({ name }) => name,
        json: (rows) => responseJson(method, { ...response, hooks: [...rows] }),
        none: "no hooks; they are made in the configuration",
      });
    });
  asList(list);

  const dead = group
    .command("dead")
    .description("Show events that could not be delivered.")
    .argument("[hook]", "only those of this hook")
    .action(async (hook: string | undefined, form: ListForm) => {
      const session = open(dead);
      const method = HookServiceService.listDeadLetters;
      const response = await session.call(method, { hook: hook ?? "" });
      await printList(session, form, {
        columns: letterColumns,
        rows: response.letters,
        nameOf: ({ id }) => id,
        json: (rows) => responseJson(method, { ...response, letters: [...rows] }),
        none: "no dead letters",
      });
    });
  asList(dead);

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

const hookColumns: readonly Column<Hook>[] = [
  { title: "NAME", rank: 0, value: ({ name }) => name },
  { title: "TARGET", rank: 1, shrinkTo: 16, value: ({ target }) => target },
  { title: "DELIVERED", rank: 2, align: "right", value: ({ delivered }) => `${delivered}` },
  { title: "DEAD", rank: 1, align: "right", value: ({ deadLetters }) => `${deadLetters}` },
  { title: "ATTEMPT", rank: 3, align: "right", value: ({ attempts }) => `${attempts}` },
  { title: "ERROR", rank: 0, shrinkTo: 16, value: ({ error }) => error },
];

const letterColumns: readonly Column<DeadLetter>[] = [
  { title: "HOOK", rank: 0, value: ({ hook }) => hook },
  { title: "ID", rank: 0, value: ({ id }) => id },
  { title: "TIME", rank: 2, value: ({ time }) => time?.toISOString() ?? "" },
  { title: "EVENT", rank: 1, shrinkTo: 12, value: ({ event }) => event?.type ?? "" },
  { title: "ATTEMPTS", rank: 3, align: "right", value: ({ attempts }) => `${attempts}` },
  { title: "ERROR", rank: 0, shrinkTo: 16, value: ({ error }) => error },
];
