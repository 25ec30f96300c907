import { basename } from "node:path";
import { z } from "zod";

/** Programs that take a text for commands: what comes from a resource must never be in it. */
const shells = new Set([
  "sh",
  "bash",
  "dash",
  "zsh",
  "ksh",
  "ash",
  "fish",
  "csh",
  "tcsh",
  "eval",
  "perl",
  "python",
  "python3",
  "node",
  "ruby",
  "awk",
]);

const placeholder = /\{[a-z][A-Za-z0-9_./-]*\}/;
const isWhole = /^\{[a-z][A-Za-z0-9_./-]*\}$/;
const spliced =
  'what a name or label has would be run there as a command: use "$ZOR_NAME" in quotes in the script, or give it as an argument of its own';

const input = z.strictObject({
  /** {input.NAME}, and ZOR_INPUT_NAME. */
  name: z.string().regex(/^[a-z][a-z0-9_]*$/, "is no name: small letters, digits and underscores only"),
  label: z.string().optional(),
  default: z.string().default(""),
  choices: z.array(z.string()).optional(),
});

/** Whether words after ssh name the destination already: a word that is no option, and no value of one. */
function hasDestination(words: readonly string[]): boolean {
  return words.some((each, index) => !each.startsWith("-") && !/^-\w$/.test(words[index - 1] ?? ""));
}

/** A command of a user's. */
export const pluginSchema = z
  .strictObject({
    title: z.string().min(1),
    /** Singulars of kinds; none: it is about no resource. */
    kinds: z.array(z.string()).default([]),
    keys: z.array(z.string()).default([]),
    /** A program and its arguments; {name} and others stand for what the resource has, each in an argument of its own or a part of one. */
    command: z.array(z.string()).min(1),
    /** More for its environment. */
    environment: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "is no name of a variable"), z.string())
      .default({}),
    inputs: z.array(input).default([]),
    /** It is asked for before it is run. */
    confirm: z.boolean().default(false),
    /** In the terminal, which it has meanwhile, or behind, with its output shown. */
    run: z.enum(["terminal", "background"]).default("terminal"),
    /** It changes something: not in read-only mode. */
    changes: z.boolean().default(true),
  })
  .superRefine(({ command }, context) => {
    const [program = ""] = command;
    if (program.includes("{")) {
      context.addIssue({ code: "custom", path: ["command", 0], message: "the program itself must be written out" });
    }
    const shell = command.findIndex((each) => shells.has(basename(each)));
    const ssh = command.findIndex((each) => basename(each) === "ssh");
    command.forEach((argument, index) => {
      if (!placeholder.test(argument)) return;
      const isScript =
        shell >= 0 && index > shell && (/^-\w*[ce]$/.test(command[index - 1] ?? "") || !isWhole.test(argument));
      // What follows the destination is put together to a line for the shell there.
      const isRemote = ssh >= 0 && index > ssh && hasDestination(command.slice(ssh + 1, index));
      if (isScript || isRemote) context.addIssue({ code: "custom", path: ["command", index], message: spliced });
    });
  });

/** A command of a user's. */
export type Plugin = z.output<typeof pluginSchema>;
