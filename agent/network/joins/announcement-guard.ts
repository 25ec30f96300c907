import { failedPrecondition } from "../../../lib/errors.js";
import { run, ToolError } from "../../host/exec.js";
import { toldOf } from "../../host/told.js";
import { RulesKeeper } from "../rules-keeper.js";

/** What DHCP servers and IPv6 routers say, in nftables' words. */
const announced = ["udp sport 67", "udp sport 547", "icmpv6 type nd-router-advert"] as const;
/** Types of VLAN tags. */
const [dot1q, dot1ad] = [0x8100, 0x88a8];
const [ipv4, ipv6] = [0x0800, 0x86dd];
const [udp, icmpv6, routerAdvertisement] = [17, 58, 134];
const tagBytes = 4;

/** The same behind VLAN tags: nftables sees no further than the first of them, so that all is counted from the frame's first byte. */
function behindTags(tags: readonly number[]): readonly string[] {
  const bits = (byte: number, length: number, value: number): string => `@ll,${byte * 8},${length} ${value}`;
  const type = 12 + tags.length * tagBytes;
  const start = type + 2;
  const outer = tags.map((tag, index) => bits(12 + index * tagBytes, 16, tag));
  const datagram4 = [...outer, bits(type, 16, ipv4), bits(start + 9, 8, udp)];
  const packet6 = [...outer, bits(type, 16, ipv6)];
  return [
    [...datagram4, bits(start + 20, 16, 67)],
    // Behind options nothing is where it is looked for; no datagram of a guest has any.
    [...datagram4, `@ll,${start * 8 + 4},4 != 5`],
    [...packet6, bits(start + 6, 8, udp), bits(start + 40, 16, 547)],
    [...packet6, bits(start + 6, 8, icmpv6), bits(start + 40, 8, routerAdvertisement)],
  ].map((words) => words.join(" "));
}

/**
 * Keeps what DHCP servers and IPv6 routers announce in a lan from leaving it by a port: rules at the port itself, in the switch's net
 * namespace, where nobody of the host has any.
 */
export class AnnouncementGuard {
  readonly #netns: string;
  readonly #keepers = new Map<string, RulesKeeper>();

  constructor(netns: string) {
    this.#netns = netns;
  }

  /**
   * Guards a port that is there. Idempotent; there is no moment without rules where there were some.
   * @throws {ZorError} FAILED_PRECONDITION where the host cannot. @param resource name of whom it belongs to.
   */
  async set(port: string, resource: string): Promise<void> {
    const keeper = this.#keepers.get(port) ?? new RulesKeeper(this.#netns, tableOf(port));
    this.#keepers.set(port, keeper);
    await keeper.set(guardRules(port)).catch((error: unknown) => {
      const why = `what DHCP servers in the lan say cannot be kept in it here (${toldOf(error)})`;
      const remedy = "install nftables 1.0.1 or newer, or let it out: dhcp_out, --dhcp-out";
      throw failedPrecondition("GUARD_MISSING", resource, `${resource}: ${why}; ${remedy}`);
    });
  }

  /** Whether the rules of a port are no more what was set. */
  async isSpoilt(port: string): Promise<boolean> {
    return (await this.#keepers.get(port)?.areSpoilt()) ?? true;
  }

  /** Lets everything pass again. Idempotent. */
  async clear(port: string): Promise<void> {
    this.#keepers.get(port)?.close();
    this.#keepers.delete(port);
    const table = tableOf(port);
    const input = `table ${table} {}\ndelete table ${table}\n`;
    await run("nft", ["-f", "-"], { netns: this.#netns, input }).catch((error: unknown) => {
      // Without the program there never were any.
      if (!(error instanceof ToolError && error.isMissing)) throw error;
    });
  }
}

function tableOf(port: string): string {
  return `netdev guard-${port}`;
}

/** The rules of a port as nft reads them; pure. */
export function guardRules(port: string): string {
  const table = tableOf(port);
  const stacks = [[dot1q], [dot1ad], [dot1q, dot1q], [dot1ad, dot1q], [dot1ad, dot1ad]];
  const rules = [...announced, ...stacks.flatMap(behindTags)].map((match) => `    ${match} drop`);
  return `table ${table} {}
delete table ${table}
table ${table} {
  chain out {
    type filter hook egress device "${port}" priority 0; policy accept;
${rules.join("\n")}
  }
}
`;
}
