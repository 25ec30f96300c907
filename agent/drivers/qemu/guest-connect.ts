import { failedPrecondition } from "../../../lib/errors.js";
import type { Dialled } from "../../network/dial.js";
import type { FromServer } from "../../network/socket-stream.js";
import type { ExecCommand, ExecOutput } from "../driver.js";

/**
 * Connects standard input and output with a server, by what the guest has. All of them end the one way when standard input ends, and go on
 * with the other. Arguments: address, port.
 */
const connectScript = `a=$1 p=$2; command -v socat >/dev/null && case $a in
  *:*) exec socat -t 86400 - "TCP6:[$a]:$p" ;;
  *) exec socat -t 86400 - "TCP4:$a:$p" ;;
esac
if command -v nc >/dev/null; then
  case $(nc -h 2>&1) in *-N*) exec nc -N "$a" "$p" ;; *) exec nc "$a" "$p" ;; esac
fi
command -v python3 >/dev/null && exec python3 -c '
import os, socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def out():
    while True:
        d = s.recv(65536)
        if not d: break
        while d: d = d[os.write(1, d):]
    os.close(1)
t = threading.Thread(target=out); t.start()
while True:
    d = os.read(0, 65536)
    if not d: break
    s.sendall(d)
s.shutdown(socket.SHUT_WR); t.join()' "$a" "$p"
echo "the guest has none of socat, nc and python3" >&2
exit 127`;

const keptWords = 500;

/** Connects to a server inside a machine, by running what connects there. */
export async function* connectInGuest(
  run: (command: ExecCommand) => AsyncIterable<ExecOutput>,
  { address, port, input }: Dialled,
  resource: string,
): AsyncGenerator<FromServer> {
  const command = ["/bin/sh", "-c", connectScript, "zor", address, String(port)];
  const options = { environment: {}, tty: false, columns: 80, rows: 24, stdin: input };
  let said = "";
  yield { type: "opened" };
  for await (const output of run({ command, ...options })) {
    if (output.type === "stdout") yield { type: "data", data: output.data };
    if (output.type === "stderr") said = (said + Buffer.from(output.data).toString()).slice(-keptWords);
    if (output.type !== "exit") continue;
    if (output.code !== 0) {
      const why = said.trim().replace(/\s+/g, " ") || `what connects there ended with ${output.code}`;
      throw failedPrecondition(
        "CONNECT_FAILED",
        resource,
        `${resource}: cannot connect to ${address}:${port} inside: ${why}`,
      );
    }
    yield { type: "end" };
  }
}
