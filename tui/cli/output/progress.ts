import { type Environment, understandsEscapes } from "../../../lib/terminal.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { TerminalOutput } from "../../client/raw-terminal.js";
import { escapeText } from "../../kit/text/escape.js";
import { cutText } from "../../kit/text/text-width.js";
import { ToldSteps } from "./told-steps.js";

/** A line of progress that is wiped when disposed. */
export interface Progress extends Disposable {
  update(operation: Operation): void;
}

/** Shows an operation's progress: one line that changes on a terminal that can do that, one line a step or a tenth of one elsewhere. */
export function showProgress(output: TerminalOutput, env: Environment, title: string): Progress {
  return output.isTTY === true && understandsEscapes(env) ? changingLine(output, title) : stepLines(output, title);
}

function changingLine(output: TerminalOutput, title: string): Progress {
  return {
    update: ({ step, progressPercent }) => {
      const text = escapeText(`${title}: ${progressPercent}% ${step}`);
      output.write(`\r\x1b[K${cutText(text, (output.columns ?? 80) - 1)}`);
    },
    [Symbol.dispose]: () => {
      output.write("\r\x1b[K");
    },
  };
}

function stepLines(output: TerminalOutput, title: string): Progress {
  const told = new ToldSteps();
  return {
    update: ({ step, progressPercent }) => {
      if (told.isTold(step, progressPercent)) output.write(`${escapeText(`${title}: ${step}`)}\n`);
    },
    [Symbol.dispose]: () => undefined,
  };
}
