import { close, errno, lastErrno, NativeMemory } from "../../../lib/libc.js";
import { openNetlinkSocket, recv } from "../../../lib/net/socket-calls.js";
import { visitNetns } from "../../../lib/net/visit-netns.js";
import { run } from "../../host/exec.js";
import { table } from "./rules.js";

const [NETLINK_NETFILTER, NFNLGRP_NFTABLES] = [12, 7];
const MSG_DONTWAIT = 0x40;
const bytesAtOnce = 8192;
const readsAtOnce = 64;

/** Keeps the rules of a net namespace as they were set: the kernel tells when anybody changes some there. */
export class RulesKeeper {
  readonly #netns: string;
  readonly #memory = new NativeMemory(bytesAtOnce);
  #socket: number | undefined;
  /** What the kernel lists of what was set. */
  #listed = "";

  constructor(netns: string) {
    this.#netns = netns;
  }

  /** Sets rules, in one transaction. */
  async set(rules: string): Promise<void> {
    this.#listen();
    await run("nft", ["-f", "-"], { netns: this.#netns, input: rules });
    this.#listed = await this.#list();
  }

  /** Whether the rules are no more what was set. Costs a system call unless somebody has changed any. */
  async areSpoilt(): Promise<boolean> {
    if (this.#socket === undefined) return true;
    if (!this.#hasNews(this.#socket)) return false;
    return (await this.#list()) !== this.#listed;
  }

  /** Listens no more: another namespace may have the name. */
  close(): void {
    if (this.#socket !== undefined) close(this.#socket);
    this.#socket = undefined;
  }

  #listen(): void {
    const open = (): number => openNetlinkSocket(NETLINK_NETFILTER, 1 << (NFNLGRP_NFTABLES - 1));
    this.#socket ??= visitNetns(this.#netns, open);
  }

  /** Takes what has come; more than found room counts as news too. */
  #hasNews(socket: number): boolean {
    let news = false;
    for (let count = 0; count < readsAtOnce; count += 1) {
      const length = recv(socket, this.#memory.address, bytesAtOnce, MSG_DONTWAIT);
      if (length < 0 && lastErrno() !== errno.ENOBUFS) break;
      news = true;
    }
    return news;
  }

  async #list(): Promise<string> {
    const [family = "", name = ""] = table.split(" ");
    // It is an error when there is no such table.
    const { stdout } = await run("nft", ["list", "table", family, name], {
      netns: this.#netns,
      acceptedExitCodes: [0, 1],
    });
    return stdout;
  }
}
