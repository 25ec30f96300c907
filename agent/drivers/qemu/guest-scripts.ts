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
/** How long the pipes are kept when nobody reads them to the end, in seconds. */
const keepSeconds = 600;

/**
 * Holds the pipes open, so that they outlive the pauses between two readings, and ends each with the mark, the second with the exit code
 * behind it: what a child in the background still holds open does not keep the reader. `env` keeps built-in commands of the shell out; the
 * parentheses keep what the shell itself says of a command that was killed out of the command's output. The mark comes as two parts with a
 * hyphen in between, so that it stands nowhere in the guest as it is: a list of processes, say, may be the output.
 * Arguments: path of the directory, both parts of the mark as one word, command.
 */
const holdScript = `d=$1; a=\${2%-*}; b=\${2#*-}; shift 2
exec 3<>"$d/o" 4<>"$d/e"
(exec env "$@" 3>&- 4>&- >"$d/o" 2>"$d/e")
c=$?
exec </dev/null
printf '%s%s' "$a" "$b" >&3
printf '%s%s%s\n' "$a" "$b" "$c" >&4
exec sleep ${keepSeconds}`;

/**
 * Makes the pipes and runs a command, in a session of its own where the guest can. Arguments: id of the pipes, both parts of the mark as one word, command.
 */
export const runScript = `for p in dd env mkfifo; do command -v $p >/dev/null || exit ${cannotStream}; done
i=$1; shift
for t in ${places}; do
  d=$t/zor-$i
  mkdir -m 700 "$d" 2>/dev/null || continue
  if mkfifo "$d/o" "$d/e" 2>/dev/null; then
    s=; command -v setsid >/dev/null && s=setsid
    exec $s /bin/sh -c '${holdScript.replaceAll("'", "'\\''")}' zor "$d" "$@"
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

/**
 * Ends what holds the pipes and readers that still wait, and removes the pipes. With "all" the command ends too, with its process group; else
 * it has ended, and what it sent into the background stays. Arguments: id of the pipes, "all" or "rest", pids of the holder and of readers.
 */
export const endScript = `i=$1; w=$2; h=$3; shift 3
[ "$w" != all ] || kill -KILL -- "-$h" 2>/dev/null
for p in $h "$@"; do kill -KILL "$p" 2>/dev/null; done
for t in ${places}; do rm -rf "$t/zor-$i"; done
exit 0`;
