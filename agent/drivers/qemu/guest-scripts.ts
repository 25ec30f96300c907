/**
 * What a guest's shell runs for a command whose output is read while it runs. The guest agent itself keeps all output in the guest's
 * memory until the command has ended, cuts it at 16 MiB and sends it as one line: enough to be killed for want of memory, agent and all.
 * So the output goes through two pipes with names, from which pieces are read on demand: a command that writes faster than it is read waits.
 */

/** Where the pipes are, in the order they are tried: memory first. */
const places = "/run /dev/shm /tmp";

/** Bytes of one piece: what a pipe holds. */
const pieceBytes = 65_536;
/** Exit code of {@link runScript} in a guest that cannot give output in pieces; nothing has been run then. */
export const cannotStream = 90;
/** Exit code of {@link readScript} while the pipe is not there yet. */
export const noPipeYet = 75;
/** What {@link terminalScript} says in a guest that cannot make terminals. */
export const noTerminalWords = "zor: the guest cannot make terminals";
/** How long the pipes are kept when nobody reads them to the end, in seconds. */
const keepSeconds = 600;

/**
 * Holds the pipes open, so that they outlive the pauses between two readings, and ends each with the mark, the second with the exit code
 * behind it: what a child in the background still holds open does not keep the reader. `env` keeps built-in commands of the shell out; the
 * parentheses keep what the shell itself says of a command that was killed out of the command's output. The mark comes as two parts with a
 * hyphen in between, so that it stands nowhere in the guest as it is: a list of processes, say, may be the output.
 * Where there is input, a third pipe has one writer of ours for as long as more may come: its end is the end of the input. It inherits its end
 * of the pipe, which is open before the command is begun: were it to open it itself, a first piece could be read, and followed by an end that is
 * none, before it has come so far. The reading end is held meanwhile, as the writers' pipe must never be without one.
 * Arguments: path of the directory, both parts of the mark as one word, command.
 */
const holdScript = `d=$1; a=\${2%-*}; b=\${2#*-}; shift 2
echo $$ >"$d/h"
exec 3<>"$d/o" 4<>"$d/e"
if [ -p "$d/i" ]; then
  exec 5<>"$d/i" 6>"$d/i" 7<"$d/i" 5>&-
  (exec 3>&- 4>&- 7<&-; exec sleep 2147483647) &
  echo $! >"$d/k"
  exec 6>&-
  (exec env "$@" 3>&- 4>&- <&7 7<&- >"$d/o" 2>"$d/e")
  c=$?
  exec 7<&-
else
  (exec env "$@" 3>&- 4>&- >"$d/o" 2>"$d/e")
  c=$?
fi
exec </dev/null
printf '%s%s' "$a" "$b" >&3
printf '%s%s%s\n' "$a" "$b" "$c" >&4
exec sleep ${keepSeconds}`;

/**
 * Makes the pipes and runs a command, in a session of its own where the guest can. Arguments: id of the pipes, both parts of the mark as one
 * word, "i" when there is input or "-", command.
 */
export const runScript = `for p in dd env mkfifo; do command -v $p >/dev/null || exit ${cannotStream}; done
i=$1; m=$2; in=$3; shift 3
for t in ${places}; do
  d=$t/zor-$i
  mkdir -m 700 "$d" 2>/dev/null || continue
  if mkfifo "$d/o" "$d/e" 2>/dev/null && { [ "$in" != i ] || mkfifo "$d/i"; }; then
    s=; command -v setsid >/dev/null && s=setsid
    exec $s /bin/sh -c '${holdScript.replaceAll("'", "'\\''")}' zor "$d" "$m" "$@"
  fi
  rm -rf "$d"
done
exit ${cannotStream}`;

/** Reads a piece as soon as there is one, nothing at the end. Arguments: id of the pipes, name of the pipe. */
export const readScript = `for t in ${places}; do
  p=$t/zor-$1/$2
  [ -p "$p" ] && exec dd if="$p" bs=${pieceBytes} count=1
done
exit ${noPipeYet}`;

/** Passes its standard input on to the command; waits while the command does not take it. Argument: id of the pipes. */
export const writeScript = `for t in ${places}; do
  p=$t/zor-$1/i
  if [ -p "$p" ]; then exec cat >"$p"; fi
done
exit ${noPipeYet}`;

/** Ends the command's input. Argument: id of the pipes. */
export const endInputScript = `for t in ${places}; do
  [ -s "$t/zor-$1/k" ] && exec kill -KILL "$(cat "$t/zor-$1/k")"
done
exit ${noPipeYet}`;

/** Tells the terminal that the command has another size. Arguments: id of the pipes, columns, rows. */
export const resizeScript = `for t in ${places}; do
  f=$t/zor-$1/t
  [ -s "$f" ] && exec stty -F "$(cat "$f")" cols "$2" rows "$3"
done
exit ${noPipeYet}`;

/** Ends a process group: it is asked first, so that what it began can be taken back, and killed a second later. Argument: the group. */
const endGroup = `end() {
  kill -TERM -- "-$1" 2>/dev/null || return 0
  for n in 1 2 3 4 5 6 7 8 9 10; do kill -0 -- "-$1" 2>/dev/null || return 0; sleep 0.1; done
  kill -KILL -- "-$1" 2>/dev/null
}`;

/**
 * Ends what holds the pipes and readers that still wait, and removes the pipes. With "all" the command ends too, with its process group; else
 * it has ended, and what it sent into the background stays. Arguments: id of the pipes, "all" or "rest", pids of the holder and of readers.
 */
export const endScript = `${endGroup}
i=$1; w=$2; h=$3; shift 3
[ "$w" != all ] || end "$h"
for t in ${places}; do
  d=$t/zor-$i
  [ ! -s "$d/k" ] || kill -KILL "$(cat "$d/k")" 2>/dev/null
  [ "$w" != all ] || [ ! -s "$d/p" ] || end "$(cat "$d/p")"
done
for p in $h "$@"; do kill -KILL "$p" 2>/dev/null; done
for t in ${places}; do rm -rf "$t/zor-$i"; done
exit 0`;

/** Ends the commands that an earlier agent ran and nobody reads any more. Argument: what the names of this agent's pipes begin with. */
export const sweepScript = `${endGroup}
for t in ${places}; do
  for d in "$t"/zor-*; do
    [ -s "$d/h" ] || continue
    case $d in "$t/zor-$1"*) continue ;; esac
    for f in h p; do [ ! -s "$d/$f" ] || end "$(cat "$d/$f")"; done
    for f in h k; do [ ! -s "$d/$f" ] || kill -KILL "$(cat "$d/$f")"; done
    rm -rf "$d"
  done
done 2>/dev/null
exit 0`;

/**
 * Leaves a command running by itself and prints its pid: the guest agent would keep a process of its own in mind for ever. Arguments: command.
 */
export const detachScript = `command -v env >/dev/null || { "$@" </dev/null >/dev/null 2>&1 & echo $!; exit 0; }
s=; command -v setsid >/dev/null && s=setsid
$s env "$@" </dev/null >/dev/null 2>&1 &
echo $!`;

/**
 * Runs a command as another user, or in another directory. Arguments: user, with ":group" or without, or ""; directory or ""; the command as one
 * word that a shell reads; command. Names are the guest's to know: it may ask a directory service.
 */
export const becomeScript = `u=\${1%%:*} g=\${1#"\${1%%:*}"} w=$2 line=$3; shift 3; g=\${g#:}
say() { echo "zor: $*" >&2; exit 126; }
if [ -z "$u" ]; then cd "\${w:-/}" || exit 126; exec env "$@"; fi
case $u in
  *[!0-9]*) n=$u; i=$(id -u "$u" 2>/dev/null) && p=$(id -g "$u") || say "the guest has no user $u" ;;
  *) i=$u; p=$u; n=$(awk -F: -v i="$i" '$3 == i { print $1; exit }' /etc/passwd); [ -z "$n" ] || p=$(id -g "$n") ;;
esac
case $g in
  "") ;;
  *[!0-9]*) p=$(awk -F: -v g="$g" '$1 == g { print $3; exit }' /etc/group); [ -n "$p" ] || say "the guest has no group $g" ;;
  *) p=$g ;;
esac
h=$(awk -F: -v i="$i" '$3 == i { print $6; exit }' /etc/passwd)
[ -n "\${HOME+x}" ] || export HOME="\${h:-/}"
[ -n "\${USER+x}" ] || export USER="\${n:-$i}" LOGNAME="\${n:-$i}"
export SHELL="\${SHELL:-/bin/sh}"
cd "\${w:-/}" || exit 126
if setpriv --reuid="$i" --regid="$p" --clear-groups true 2>/dev/null; then
  if [ -n "$n" ] && [ -z "$g" ]; then exec setpriv --reuid="$i" --regid="$p" --init-groups env "$@"; fi
  exec setpriv --reuid="$i" --regid="$p" --clear-groups env "$@"
fi
[ "$i" != 0 ] || exec env "$@"
[ -n "$n" ] && [ -z "$g" ] || say "the guest lacks setpriv of util-linux, which a user without name, or a group, needs"
exec su -s /bin/sh -c "exec env $line" "$n"`;

/** Runs a command on a terminal of its own. Arguments: id of the pipes, columns, rows, the command as one word that a shell reads. */
export const terminalScript = `command -v script >/dev/null || { echo "${noTerminalWords}" >&2; exit 126; }
export SHELL=/bin/sh
exec script -qefc 'for t in ${places}; do [ ! -d "$t/zor-'"$1"'" ] || { tty >"$t/zor-'"$1"'/t"; echo $$ >"$t/zor-'"$1"'/p"; }; done; stty cols '"$2"' rows '"$3"'; exec '"$4" /dev/null`;

/** A command line as one word that a shell reads as these words. */
export function quoteWords(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}
