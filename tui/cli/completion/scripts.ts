/** What a shell runs to have lines completed; each asks `zor complete`, shows what it says and expands nothing of it. */
export const completionScripts = {
  // Readline's own words are parted by colons and equal signs as well: the program reads the line, and says what readline is to put where.
  bash: `# bash completion for zor
__zor_complete() {
  local reply mode=':0'
  COMPREPLY=()
  while IFS= read -r reply; do
    if [[ $reply == :[0-9] ]]; then mode=$reply; else COMPREPLY+=("$reply"); fi
  done < <(zor complete --shell bash --breaks "$COMP_WORDBREAKS" --key "\${COMP_TYPE:-9}" -- "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
  [[ $mode == :4 ]] && compopt +o default 2>/dev/null
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[/=.,\\(] ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -o default -o nosort -F __zor_complete zor 2>/dev/null || complete -o default -F __zor_complete zor
`,
  zsh: `#compdef zor
# zsh completion for zor
_zor() {
  local line mode=':0' word=\${words[CURRENT]}
  local -a matches shown parts ended
  word=\${word%"$SUFFIX"}
  while IFS= read -r line; do
    if [[ $line == :[0-9] ]]; then
      mode=$line
      continue
    fi
    parts=("\${(@ps:\\t:)line}")
    matches+=("\${parts[1]}")
    shown+=("\${parts[2]}\${parts[3]:+  -- \${parts[3]}}")
  done < <(zor complete --shell zsh -- "\${(@)words[2,CURRENT-1]}" "$word" 2>/dev/null)
  if (( ! \${#matches} )); then
    [[ $mode == :0 ]] && _files
    return
  fi
  [[ \${#matches} -eq 1 && \${matches[1]} == *[/=.,\\(] ]] && ended=(-S '')
  if [[ \${(j::)shown} == *'  -- '* ]]; then
    compadd -U -Q -l -V zor "\${(@)ended}" -d shown -a matches
  else
    compadd -U -Q -V zor "\${(@)ended}" -d shown -a matches
  fi
}
if [[ \${funcstack[1]} == _zor ]]; then
  _zor
else
  compdef _zor zor
fi
`,
  fish: `# fish completion for zor
function __zor_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    set -l mode ':0'
    for line in (zor complete --shell fish -- $before[2..-1] "$word" 2>/dev/null)
        if string match -qr '^:[0-9]$' -- $line
            set mode $line
        else
            printf '%s\\n' $line
        end
    end
    if test "$mode" = ':0'
        __fish_complete_path (commandline -ct)
    end
end
complete -c zor -e
complete -c zor -k -f -a '(__zor_complete)'
`,
} as const;
