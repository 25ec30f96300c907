import { RootCommand } from "@bomb.sh/tab";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { type Registrar, withExamples } from "../command.js";

/**
 * The library's script for bash needs the bash-completion package, evaluates the line that is being typed and cannot be
 * sourced twice; this one does none of that.
 */
const bashScript = `# bash completion for zor
__zor_complete() {
  local line word last='' cut='' words=()
  COMPREPLY=()
  # bash takes a colon for the end of a word.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [[ \${#words[@]} -gt 0 && ( $word == :* || $last == *: ) ]]; then
      last+=$word
      words[\${#words[@]}-1]=$last
    else
      last=$word
      words+=("$word")
    fi
  done
  [[ $last == *:* && $COMP_WORDBREAKS == *:* ]] && cut=\${last%"\${last##*:}"}
  while IFS= read -r line; do
    line=\${line%%$'\\t'*}
    [[ $line == :* || $line != "$last"* ]] && continue
    [[ $line == */ ]] && compopt -o nospace 2>/dev/null
    COMPREPLY+=("\${line#"$cut"}")
  done < <(zor complete -- "\${words[@]}" 2>/dev/null)
}
complete -o default -F __zor_complete zor
`;

/** `zor completion bash|zsh|fish`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("completion")
    .description("Print a script that lets a shell complete zor's commands, options and the names of resources.")
    .argument("<shell>", "bash, zsh or fish")
    .action((shell: string) => {
      if (shell === "bash") {
        open(command).print(bashScript.trimEnd());
        return;
      }
      if (shell !== "zsh" && shell !== "fish") {
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
