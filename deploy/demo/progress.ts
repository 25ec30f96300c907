import { understandsEscapes } from "../../lib/terminal.js";

/** Prints the steps of a command as they are taken. */
export interface Progress {
  /** Runs one step and tells how long it took; `why` says what it is for. */
  step<Result>(title: string, work: () => Promise<Result>): Promise<Result>;
  say(line: string): void;
}

/** Numbered steps on a stream. On a terminal that can do that the step under way stands there while it is. */
export function showSteps(total: number, output: NodeJS.WriteStream): Progress {
  let number = 0;
  const changes = output.isTTY && understandsEscapes(process.env);
  return {
    step: async (title, work) => {
      number += 1;
      const head = `[${number}/${total}] ${title}`;
      if (changes) output.write(`${head} ...`);
      const began = performance.now();
      try {
        const result = await work();
        output.write(`${changes ? "\r\u001b[K" : ""}${head} (${seconds(began)} s)\n`);
        return result;
      } catch (error) {
        output.write(`${changes ? "\r\u001b[K" : ""}${head}: failed after ${seconds(began)} s\n`);
        throw error;
      }
    },
    say: (line) => {
      output.write(`${line}\n`);
    },
  };
}

const seconds = (began: number): string => ((performance.now() - began) / 1000).toFixed(1);
