import type { Caller } from "../../lib/auth/caller.js";
import { createServerTls, type GuardedServer, listen } from "../../lib/grpc/server.js";
import type { Identity } from "../../lib/tls/identity.js";
import type { FakeCables } from "./agent-cables.js";
import type { FakeHostModel } from "./agent-model.js";
import { createFakeAgentServer } from "./agent-services.js";

/** How to start a fake agent. */
export interface FakeAgentOptions {
  readonly model: FakeHostModel;
  readonly cables: FakeCables;
  /** The host's identity, as joining gave it. */
  readonly identity: Identity;
  /** "ip:port"; default: any free port of loopback. */
  readonly listen?: string;
  readonly apiLevel?: number;
  /** Adds more services. */
  readonly serve?: (server: GuardedServer) => void;
}

/** A scripted agent: the real gRPC API over mutual TLS from an in-memory model. */
export class FakeAgent {
  /** Calls it was made, with whom they were for. */
  readonly calls: { readonly caller: Caller; readonly method: string }[] = [];
  readonly #server: GuardedServer;
  #address = "";

  private constructor(options: FakeAgentOptions) {
    this.#server = createFakeAgentServer({
      model: options.model,
      cables: options.cables,
      ...(options.apiLevel === undefined ? {} : { apiLevel: options.apiLevel }),
      onCall: (caller, method) => {
        // Bounded: pings come for ever.
        if (this.calls.length >= 1000) this.calls.shift();
        this.calls.push({ caller, method });
      },
    });
  }

  static async start(options: FakeAgentOptions): Promise<FakeAgent> {
    const agent = new FakeAgent(options);
    options.serve?.(agent.#server);
    const { credentials } = createServerTls(options.identity, "required");
    const port = await listen(agent.#server, options.listen ?? "127.0.0.1:0", credentials);
    agent.#address = `127.0.0.1:${port}`;
    return agent;
  }

  /** "ip:port" it listens on. */
  get address(): string {
    return this.#address;
  }

  /** The server, for agents that dial out. */
  get server(): GuardedServer {
    return this.#server;
  }

  /** Ends at once, as a killed agent does. */
  kill(): void {
    this.#server.forceShutdown();
  }
}
