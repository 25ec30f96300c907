import { once } from "node:events";
import { type AddressInfo, createServer, type Server, Socket, type SocketConstructorOpts } from "node:net";
import { createStreamSocket } from "../../lib/net/socket-calls.js";
import { visitNetns } from "../../lib/net/visit-netns.js";

/** A port of the machine's loopback that leads to a port of a net namespace's loopback. Disposing of it closes it. */
export class NetnsDoor implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Where it leads to; set before anybody comes. */
  port = 0;

  private constructor(netns: string) {
    this.#server = createServer({ allowHalfOpen: true }, (outside) => {
      const fd = visitNetns(netns, () => createStreamSocket("ipv4"));
      if (fd === undefined) return void outside.destroy();
      const options: SocketConstructorOpts & { readonly manualStart: boolean } = {
        fd,
        manualStart: true,
        allowHalfOpen: true,
      };
      const inside = new Socket(options);
      for (const [one, other] of [
        [outside, inside],
        [inside, outside],
      ] as const) {
        this.#sockets.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
      inside.connect({ host: "127.0.0.1", port: this.port }, () => {
        outside.pipe(inside);
        inside.pipe(outside);
      });
    });
  }

  static async open(netns: string): Promise<NetnsDoor> {
    const door = new NetnsDoor(netns);
    door.#server.listen(0, "127.0.0.1");
    await once(door.#server, "listening");
    return door;
  }

  /** "ip:port" on the machine. */
  get address(): string {
    // It listens on an IP address: it has one of this form.
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
