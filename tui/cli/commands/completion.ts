import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { LanguageArgument, type Registrar, withExamples } from "../command.js";
import { completionScripts } from "../completion/scripts.js";

/** `zor completion bash|zsh|fish`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("completion")
    .description("Print a script that lets a shell complete zor's commands, options and the names of resources.")
    .addArgument(new LanguageArgument("<shell>", "bash, zsh or fish", "shells"))
    .action((shell: string) => {
      const script = isShell(shell) ? completionScripts[shell] : undefined;
      if (script === undefined) {
        throw invalidArgument("shell", `${quote(shell)} is not a shell zor knows; it knows bash, zsh and fish`);
      }
      open(command).print(script.trimEnd());
    });
  withExamples(
    command,
    "source <(zor completion bash)",
    "zor completion zsh > ~/.zfunc/_zor",
    "zor completion fish > ~/.config/fish/completions/zor.fish",
  );
}

function isShell(word: string): word is keyof typeof completionScripts {
  return Object.hasOwn(completionScripts, word);
}
