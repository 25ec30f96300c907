import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { spawnOwned } from "./owned.js";

/** Where a controller listens, and what it has the switch do. */
export interface ControllerOptions {
  /** Net namespace. */
  readonly netns: string;
  /** Of the namespace; a path: a unix socket, whatever the namespace. */
  readonly address: string;
  readonly port?: number;
  /** What its one flow does with all frames: forward as a switch does, or drop. */
  readonly does: "normal" | "drop";
  /** Files for TLS. */
  readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string };
}

/** A controller that runs. */
export interface OpenflowController {
  /** How many connections switches have made so far. */
  connections(): number;
  /** Ends it, and its connections with it. */
  end(): Promise<void>;
}

/** The least of OpenFlow 1.3: greets, installs one flow, answers echoes, one connection at a time for each thread. */
const program = `
import socket, ssl, struct, sys, threading
address, port, does, *files = sys.argv[1:]
HELLO, ECHO_REQUEST, ECHO_REPLY, FLOW_MOD = 0, 2, 3, 14
def message(kind, body=b"", xid=1): return struct.pack("!BBHI", 4, kind, 8 + len(body), xid) + body
def flow():
    output = struct.pack("!HHIH6x", 0, 16, 0xfffffffa, 0)
    actions = struct.pack("!HH4x", 4, 24) + output if does == "normal" else b""
    match = struct.pack("!HH4x", 1, 4)
    head = struct.pack("!QQBBHHHIIIH2x", 0x77, 0, 0, 0, 0, 0, 10, 0xffffffff, 0xffffffff, 0xffffffff, 0)
    return message(FLOW_MOD, head + match + actions)
if address.startswith("/"):
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(8)
else:
    server = socket.create_server((address, int(port)), backlog=8)
context = None
if files:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(files[0])
    context.load_cert_chain(files[1], files[2])
    context.verify_mode = ssl.CERT_REQUIRED
def serve(raw):
    try:
        peer = context.wrap_socket(raw, server_side=True) if context else raw
        print("connected", flush=True)
        peer.sendall(message(HELLO) + flow())
        stream = peer.makefile("rb")
        while True:
            head = stream.read(8)
            if len(head) < 8: return
            _, kind, length, xid = struct.unpack("!BBHI", head)
            body = stream.read(length - 8)
            if kind == ECHO_REQUEST: peer.sendall(message(ECHO_REPLY, body, xid))
    except OSError: pass
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
`;

/** Starts one, which ends with the test at the latest. */
export async function startController(options: ControllerOptions): Promise<OpenflowController> {
  const { netns, address, port = 0, does, tls } = options;
  const files = tls === undefined ? [] : [tls.ca, tls.certificate, tls.key];
  const argv = ["netns", "exec", netns, "python3", "-c", program, address, String(port), does, ...files];
  const child = spawnOwned("ip", argv, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<void>();
  child.once("exit", () => {
    ended.resolve();
    ready.reject(new Error("the controller ended"));
  });
  ready.promise.catch(() => undefined);
  onTestFinished(() => void child.kill("SIGKILL"));
  let connections = 0;
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
    if (line === "ready") ready.resolve();
    else connections += 1;
  });
  await ready.promise;
  return {
    connections: () => connections,
    end: () => {
      child.kill("SIGKILL");
      return ended.promise;
    },
  };
}
