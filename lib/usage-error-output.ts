import type { OutputConfiguration } from "commander";

/** How a program shows what commander finds wrong with a command line: in one line that says where to read on. */
export function usageErrorOutput(program: string): OutputConfiguration {
  return {
    outputError: (text, write) => {
      const message = text
        .trim()
        .replace(/^error: /, "")
        .replace(/\.$/, "");
      write(`${program}: ${message}; see ${program} --help\n`);
    },
  };
}
