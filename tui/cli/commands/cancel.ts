import { failedPrecondition } from "../../../lib/errors.js";
import { toDuration } from "../../../lib/duration.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { presentOperation } from "../../client/operation.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { areChosen, asChosen, type ChosenOptions, confirmedNames } from "../chosen.js";
import {
  noWaitOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  waitOption,
  withExamples,
  yesOption,
} from "../command.js";
import { forEachName } from "../for-each-name.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface CancelOptions extends ChosenOptions {
  readonly output: OutputFormat;
  readonly wait: boolean;
  readonly yes?: boolean;
}

/** One look at an operation that undoes what it began. */
const lookMs = 5000;

/** `zor cancel OPERATION...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("cancel")
    .description(
      "Cancel running operations, whoever began them, and wait until they have undone what they began. List them with: zor get operations -o wide.",
    )
    .addArgument(new ResourceArgument("[operations...]", "operations, by their ids", "operation"));
  asChosen(command, "all that go on; with --host those of a host")
    .addOption(yesOption())
    .addOption(waitOption())
    .addOption(noWaitOption("return once they have been told"))
    .addOption(responseOutput())
    .action(async (names: string[], options: CancelOptions) => {
      const session = open(command);
      const method = OperationServiceService.cancelOperation;
      const kind = kindNamed("operation");
      const running = areChosen(names, options) ? { ...options, filter: ofRunning(options.filter) } : options;
      const chosen = await confirmedNames(session, { kind, done: "cancels" }, names, running);
      await forEachName(session, chosen, options.output, async (text, part) => {
        const name = await resolveName(session, kind, text, options.host);
        const response = await session.call(method, { name, requestId: session.requestId(part) });
        const told = presentOperation(response.operation, name);
        const operation = options.wait ? await untilEnded(session, told) : told;
        await session.printResponse(options.output, method, { operation }, () =>
          escapeText(options.output === "name" ? name : outcome(operation)),
        );
      });
    });
  withExamples(
    command,
    "zor cancel alpha/0f9d6f5e-6a0c-4c3f-9d2c-3f6f0a7d2b11",
    "zor cancel --filter 'verb = copy' --host alpha",
  );
}

/** What is over cannot be cancelled. */
function ofRunning(filter: string): string {
  return filter === "" ? "state = RUNNING" : `state = RUNNING AND (${filter})`;
}

/** @throws {ZorError} FAILED_PRECONDITION when it was through before it could be cancelled. */
async function untilEnded(session: Session, told: Operation): Promise<Operation> {
  const { name } = told;
  let now = told;
  while (now.state === OperationState.OPERATION_STATE_RUNNING) {
    session.io.signal.throwIfAborted();
    const request = { name, timeout: toDuration(lookMs) };
    now = presentOperation((await session.call(OperationServiceService.waitOperation, request)).operation, name);
  }
  if (now.state !== OperationState.OPERATION_STATE_SUCCEEDED) return now;
  throw failedPrecondition("OPERATION_ENDED", name, `${phrase(now)} was done before it could be cancelled`);
}

function outcome(operation: Operation): string {
  switch (operation.state) {
    case OperationState.OPERATION_STATE_RUNNING:
      return `${phrase(operation)} is being cancelled`;
    case OperationState.OPERATION_STATE_FAILED:
      return `${phrase(operation)} has failed: ${operation.error?.message ?? ""}`;
    default:
      return `${phrase(operation)} was cancelled`;
  }
}

function phrase({ verb, target }: Operation): string {
  return `${verb} of ${shortName(target)}`;
}
