import { type ListenNews, StandingListener } from "../standing-listener.js";
import { MetricsServer, type MetricsServerOptions } from "./metrics-server.js";

/** What metrics are served with. */
export interface MetricsOptions extends MetricsServerOptions {
  /** Addresses; empty: they are not served. */
  readonly listen: readonly string[];
  readonly news: ListenNews;
}

/** The metrics of a program, at every address that is there, at the others when they come. */
export class Metrics {
  readonly #server: MetricsServer;
  readonly #standing: StandingListener;

  private constructor(server: MetricsServer, standing: StandingListener) {
    this.#server = server;
    this.#standing = standing;
  }

  /** @throws {ZorError} UNAVAILABLE when another program has the port. */
  static async open(options: MetricsOptions): Promise<Metrics> {
    const server = new MetricsServer(options);
    try {
      const bind = (address: string): Promise<number> => server.bind(address);
      return new Metrics(server, await StandingListener.open(options.listen, { ...options.news, bind }));
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  /** With the ports that were picked. */
  get addresses(): readonly string[] {
    return this.#standing.addresses;
  }

  /** Shows a renewed certificate to new connections. */
  renew(identity: MetricsServerOptions["identity"]): void {
    this.#server.renew(identity);
  }

  async close(): Promise<void> {
    await this.#standing[Symbol.asyncDispose]();
    await this.#server.close();
  }
}
