import { failedPrecondition } from "../../lib/errors.js";
import type { Carrier } from "../../lib/grpc/server-identity.js";
import { quote } from "../../lib/names.js";
import { parseHostPort } from "../../lib/socket-address.js";
import type { SshSettings } from "../../lib/ssh/config.js";
import { SshForwarder } from "../../lib/ssh/forwarder.js";
import { formatTarget, parseTarget, type SshTarget } from "../../lib/ssh/target.js";
import { listed } from "../../lib/words.js";

/** What a hub's own configuration says of ssh; nothing of it comes over the API. */
export interface HubSshSettings {
  /** Servers that hosts may name, "ssh://user@host:port". */
  readonly via: readonly string[];
  /** Files of private keys without a passphrase, in the order they are tried. */
  readonly identityFiles: readonly string[];
  /** Files with the keys of these servers; one that is in none of them is refused. */
  readonly knownHosts: readonly string[];
}

/** An address of an agent, as the hub dials it. */
export interface DialPlace {
  readonly address: string;
  readonly carrier?: Carrier;
  /** To be called when the connection is made, or was given up. */
  readonly dialled: () => void;
}

/** Ways to agents through ssh servers, one connection for all hosts behind a server, made when the first is dialled. */
export class SshWays {
  readonly #settings: HubSshSettings;
  readonly #directory: string;
  readonly #allowed: ReadonlySet<string>;
  readonly #forwarders = new Map<string, SshForwarder>();

  /** @param directory the hub's own, mode 0700: sockets are made in it. */
  constructor(settings: HubSshSettings, directory: string) {
    this.#settings = settings;
    this.#directory = directory;
    this.#allowed = new Set(settings.via.map(canonicalVia));
  }

  /** Why a host may not name this server, with what to do; undefined: it may. */
  refusalOf(via: string): string | undefined {
    const canonical = via.startsWith("ssh://") ? safely(() => canonicalVia(via)) : undefined;
    if (canonical === undefined) return `${quote(via)} is not of the form ssh://user@host:port`;
    if (this.#allowed.has(canonical)) return undefined;
    const allowed = this.#allowed.size === 0 ? "it allows none" : `it allows ${listed([...this.#allowed], 5)}`;
    return `the hub's configuration does not allow ${canonical}: ${allowed}; whoever runs the hub can add it to "ssh.via" of its file`;
  }

  /** A door to an address as the server sees it. @throws {ZorError} why the server cannot be reached, or is not allowed (any more). */
  async open(host: string, via: string, address: string): Promise<DialPlace> {
    const refusal = this.refusalOf(via);
    if (refusal !== undefined) throw failedPrecondition("VIA_NOT_ALLOWED", `hosts/${host}`, refusal);
    const place = parseHostPort(address);
    if (place === undefined)
      throw failedPrecondition("VIA_ADDRESS", `hosts/${host}`, `${address} is no address that ssh could connect to`);
    const canonical = canonicalVia(via);
    const forwarder = await this.#forwarderOf(canonical);
    await forwarder.ready();
    const door = await forwarder.listen(place.host, place.port);
    const carrier: Carrier = {
      place: `${address} through ${canonical}`,
      get trouble() {
        return door.trouble;
      },
      close: () => undefined,
    };
    return { address: `unix:${door.path}`, carrier, dialled: () => door.close() };
  }

  /** Ends all connections. Idempotent. */
  close(): void {
    for (const forwarder of this.#forwarders.values()) forwarder.close();
    this.#forwarders.clear();
  }

  async #forwarderOf(via: string): Promise<SshForwarder> {
    const known = this.#forwarders.get(via);
    if (known !== undefined) return known;
    const target = parseTarget("via", via);
    const config = { lookUp: (wanted: SshTarget) => settingsOf(wanted, this.#settings) };
    const made = await SshForwarder.create({ target, config, env: { XDG_RUNTIME_DIR: this.#directory } });
    const meanwhile = this.#forwarders.get(via);
    if (meanwhile !== undefined) made.close();
    else this.#forwarders.set(via, made);
    return meanwhile ?? made;
  }
}

/** One form for each server. @throws {ZorError} INVALID_ARGUMENT. */
function canonicalVia(text: string): string {
  const { user = "root", host, port = 22 } = parseTarget("via", text);
  return `ssh://${formatTarget({ user, host: host.toLowerCase(), port })}`;
}

/** Whether a text names an ssh server that hosts could be reached through. */
export function isVia(text: string): boolean {
  return text.startsWith("ssh://") && safely(() => canonicalVia(text)) !== undefined;
}

function safely<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

/** Nothing of the home of whoever runs the hub. */
function settingsOf({ user = "root", host, port = 22 }: SshTarget, settings: HubSshSettings): SshSettings {
  return {
    ...{ alias: host, hostName: host, user, port, jumps: [], notes: [] },
    identityFiles: settings.identityFiles,
    identitiesOnly: true,
    agentSocket: undefined,
    knownHostsFiles: settings.knownHosts,
    hashKnownHosts: false,
    hostKeyAlias: undefined,
    unknownKeys: "refuse",
  };
}
