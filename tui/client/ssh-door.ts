import type { Carrier } from "../../lib/grpc/server-identity.js";
import { parseHostPort } from "../../lib/socket-address.js";
import { invalidArgument } from "../../lib/errors.js";
import { SshConfig } from "../../lib/ssh/config.js";
import { SshForwarder } from "../../lib/ssh/forwarder.js";
import type { SshOptions } from "../../lib/ssh/login.js";
import { formatTarget, type SshTarget } from "../../lib/ssh/target.js";
import type { Environment } from "../../lib/terminal.js";

/** How a server that is seen from another machine is reached. */
export interface SshDoorOptions extends Omit<SshOptions, "config"> {
  readonly env: Environment;
}

/** Doors here to places that an ssh server sees: one connection to it for all of them, which ends with the last door. */
export class SshDoor {
  readonly #forwarder: SshForwarder;
  readonly #target: SshTarget;
  #open = 0;

  private constructor(forwarder: SshForwarder, target: SshTarget) {
    this.#forwarder = forwarder;
    this.#target = target;
  }

  /** Logs in. @throws {ZorError} when it cannot, with what to do. */
  static async open(target: SshTarget, { env, ...options }: SshDoorOptions): Promise<SshDoor> {
    const config = await SshConfig.read({ env });
    return new SshDoor(await SshForwarder.open({ ...options, config, target, env }), target);
  }

  /** A door to "ip:port" or "name:port", as the server sees it. */
  async to(address: string): Promise<{ readonly address: string; readonly carrier: Carrier }> {
    const place = parseHostPort(address);
    if (place === undefined) throw invalidArgument("address", `${address} is no address that ssh could connect to`);
    const door = await this.#forwarder.listen(place.host, place.port);
    this.#open += 1;
    let isOpen = true;
    const carrier: Carrier = {
      place: `${address} through ${formatTarget(this.#target)}`,
      get trouble() {
        return door.trouble;
      },
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#open -= 1;
        if (this.#open === 0) this.#forwarder.close();
      },
    };
    return { address: `unix:${door.path}`, carrier };
  }

  close(): void {
    this.#forwarder.close();
  }
}
