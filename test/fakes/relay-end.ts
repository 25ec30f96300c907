import { connect, type Socket } from "node:net";
import { challengeOf, encodeRelayPreamble, RelayStatus } from "../../lib/relay-preamble.js";
import type { RelayRole } from "../../lib/relay-role.js";

/** One end of a link at a real relay, without the TLS that a real one speaks through it. */
export class FakeRelayEnd {
  readonly #socket: Socket;

  /** Connects to the relay's port on loopback, whatever its address says. `onPaired` and `onClosed` are called at most once. */
  constructor(options: {
    readonly address: string;
    readonly ticket: Buffer;
    readonly linkUid: string;
    readonly role: RelayRole;
    readonly onPaired: () => void;
    readonly onClosed: () => void;
  }) {
    const { address, ticket, linkUid, role, onPaired, onClosed } = options;
    const port = Number(address.slice(address.lastIndexOf(":") + 1));
    this.#socket = connect({ host: "127.0.0.1", port });
    // On loopback the greeting comes as one, and nothing comes with it.
    this.#socket.once("data", (greeting: Buffer) => {
      const challenge = challengeOf(greeting);
      if (challenge === undefined) throw new Error("the relay did not greet");
      this.#socket.write(encodeRelayPreamble({ linkUid, role }, { ticket, challenge }));
      this.#socket.once("data", (bytes: Buffer) => {
        if (bytes[0] === RelayStatus.Paired) onPaired();
        this.#socket.resume();
      });
    });
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.once("close", onClosed);
  }

  send(bytes: number): void {
    this.#socket.write(Buffer.alloc(bytes));
  }

  close(): void {
    this.#socket.destroy();
  }
}
