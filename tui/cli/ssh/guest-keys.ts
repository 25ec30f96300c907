import { randomBytes } from "node:crypto";
import type { Connection } from "../../../lib/grpc/connection.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { ExecServiceService, ExecStart } from "../../../proto/gen/zor/v1/exec_service.js";

/** Of what a guest says: more is not kept. */
const keptBytes = 65_536;
const maxKeys = 16;
/** A public key as OpenSSH writes it. */
const keyPattern = /^((?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]{40,4000}={0,3})(?: .*)?$/;
const removeLimitMs = 5000;

const hostKeysScript = `cat /etc/ssh/ssh_host_*_key.pub 2>/dev/null`;

/** Holds others who change the file off, where the guest can. */
const lockScript = `f=$HOME/.ssh/authorized_keys; if command -v flock >/dev/null; then exec 9>>"$f"; flock 9; fi`;

/**
 * Adds a key for this session, and takes those away that sessions left which were killed. Where sshd knows of it, the key is of no use after
 * two minutes, in which the session has long begun: whatever becomes of us, nothing is left that opens a door. Arguments: key, mark.
 */
const addScript = `umask 077; mkdir -p "$HOME/.ssh" || exit 1
${lockScript}
n=$(date +%Y%m%d%H%M%S) u=
[ ! -x /usr/sbin/sshd ] || u=$(date -d "@$(($(date +%s) + 120))" +%Y%m%d%H%M%S 2>/dev/null)
if grep -q '^expiry-time=.* zor-session-' "$f" 2>/dev/null; then
  t=$(while IFS= read -r l; do
    case $l in expiry-time=\\"*" zor-session-"*)
      e=\${l#*\\"}; e=\${e%%\\"*}
      [ "$e" -lt "$n" ] 2>/dev/null && continue ;;
    esac
    printf '%s\\n' "$l"
  done <"$f"); if [ -n "$t" ]; then printf '%s\\n' "$t" >"$f"; else : >"$f"; fi
fi
printf '%s%s %s\\n' "\${u:+expiry-time=\\"$u\\" }" "$1" "$2" >>"$f"`;

/** Takes the key of a session away again. Argument: mark. */
const removeScript = `[ -f "$HOME/.ssh/authorized_keys" ] || exit 0
${lockScript}
t=$(grep -v -- " $1$" "$f"); if [ -n "$t" ]; then printf '%s\\n' "$t" >"$f"; else : >"$f"; fi`;

/** A machine or container whose keys are read and given through its agent, not through the network. */
export class GuestKeys {
  readonly #connection: Connection;
  readonly #name: string;
  readonly #user: string;

  constructor(connection: Connection, name: string, user: string) {
    this.#connection = connection;
    this.#name = name;
    this.#user = user;
  }

  /** Public keys of the server inside. */
  async hostKeys(signal: AbortSignal): Promise<readonly string[]> {
    const text = await this.#run("", [hostKeysScript], signal);
    return text
      .split("\n")
      .flatMap((line) => keyPattern.exec(line)?.[1] ?? [])
      .slice(0, maxKeys);
  }

  /** Lets a key in until it is taken away again. */
  async lend(key: string, signal: AbortSignal): Promise<AsyncDisposable> {
    const mark = `zor-session-${randomBytes(8).toString("hex")}`;
    await this.#run(this.#user, [addScript, "zor", key, mark], signal);
    return {
      [Symbol.asyncDispose]: async () => {
        const limit = timeLimit(removeLimitMs);
        await this.#run(this.#user, [removeScript, "zor", mark], limit).catch(() => undefined);
      },
    };
  }

  /** Runs a shell script inside as a user; resolves to what it prints. @throws {Error} when it fails. */
  async #run(user: string, script: readonly string[], signal: AbortSignal): Promise<string> {
    const value = ExecStart.fromPartial({
      name: this.#name,
      user,
      command: ["/bin/sh", "-c", ...script],
      purpose: "zor ssh: keys",
    });
    async function* requests() {
      yield { message: { $case: "start" as const, value } };
    }
    const said = { stdout: "", stderr: "" };
    for await (const { message } of this.#connection.bidi(ExecServiceService.exec, requests(), { signal })) {
      if (message?.$case === "stdout" || message?.$case === "stderr") {
        said[message.$case] = (said[message.$case] + message.value.toString("utf8")).slice(0, keptBytes);
      }
      if (message?.$case === "exit" && message.value.code !== 0 && said.stdout === "") {
        throw new Error(said.stderr.trim().slice(0, 300) || `a command inside ended with ${message.value.code}`);
      }
    }
    return said.stdout;
  }
}
