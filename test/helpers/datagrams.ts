import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { spawnOwned } from "./owned.js";

/** A datagram that came to a port. */
export interface Datagram {
  readonly port: number;
  readonly data: Buffer;
}

/** Prints "ready", and a line for each datagram: the port it came to, and what it is in hexadecimal digits. */
const program = `
import selectors, socket, sys
sel = selectors.DefaultSelector()
for port in sys.argv[2:]:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((sys.argv[1], int(port)))
    sel.register(s, selectors.EVENT_READ, port)
print("ready", flush=True)
while True:
    for key, _ in sel.select():
        print(key.data, key.fileobj.recv(65536).hex(), flush=True)
`;

/** Listens in a net namespace until the test has finished; what came is added to the list that is returned. */
export async function receiveDatagrams(
  netns: string,
  address: string,
  ports: readonly number[],
): Promise<readonly Datagram[]> {
  const argv = ["netns", "exec", netns, "python3", "-c", program, address, ...ports.map(String)];
  const child = spawnOwned("ip", argv, { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const came: Datagram[] = [];
  const ready = Promise.withResolvers<void>();
  child.once("exit", () => ready.reject(new Error("the listener ended")));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [port = "", hex = ""] = line.split(" ");
    if (port === "ready") ready.resolve();
    else came.push({ port: Number(port), data: Buffer.from(hex, "hex") });
  });
  await ready.promise;
  return came;
}
