import { RootCommand } from "@bomb.sh/tab";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { type Registrar, withExamples } from "../command.js";

/** `zor completion bash|zsh|fish`. */
export function define({ program }: Registrar): void {
  const command = program
    .command("completion")
    .description("Print a script that lets a shell complete zor's commands, options and the names of resources.")
    .argument("<shell>", "bash, zsh or fish")
    .action((shell: string) => {
      if (shell !== "bash" && shell !== "zsh" && shell !== "fish") {
        throw invalidArgument("shell", `${quote(shell)} is not a shell zor knows; it knows bash, zsh and fish`);
      }
      new RootCommand().setup("zor", "zor", shell);
    });
  withExamples(
    command,
    "source <(zor completion bash)",
    "zor completion zsh > ~/.zfunc/_zor",
    "zor completion fish > ~/.config/fish/completions/zor.fish",
  );
}
