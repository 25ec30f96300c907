import { close, errno, lastErrno, NativeMemory } from "../../lib/libc.js";
import { openNetlinkSocket, recv } from "../../lib/net/socket-calls.js";
import { visitNetns } from "../../lib/net/visit-netns.js";
import { run } from "../host/exec.js";

const [NETLINK_NETFILTER, NFNLGRP_NFTABLES] = [12, 7];
const MSG_DONTWAIT = 0x40;
const bytesAtOnce = 8192;
const readsAtOnce = 4096;
const headerBytes = 16;
/** NFT_MSG_NEWGEN of NFNL_SUBSYS_NFTABLES: what ends each transaction (linux/netfilter/nf_tables.h). */
const newGeneration = (10 << 8) | 15;
const maxTries = 5;

/** Transactions that a datagram of the kernel tells the end of: messages of struct nlmsghdr, one after the other. */
function countTransactions(datagram: Buffer): number {
  let transactions = 0;
  for (let at = 0; at + headerBytes <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < headerBytes) break;
    if (datagram.readUInt16LE(at + 4) === newGeneration) transactions += 1;
    at += Math.ceil(length / 4) * 4;
  }
  return transactions;
}

/** Keeps the rules of a net namespace as they were set: the kernel tells when anybody changes some there. */
export class RulesKeeper {
  readonly #netns: string;
  readonly #table: string;
  readonly #memory = new NativeMemory(bytesAtOnce);
  #socket: number | undefined;
  /** What the kernel lists of what was set. */
  #listed = "";

  /** @param table family and name of the table that the rules are in, "inet zor". */
  constructor(netns: string, table: string) {
    this.#netns = netns;
    this.#table = table;
  }

  /** Sets rules, in one transaction. */
  async set(rules: string): Promise<void> {
    this.#listen();
    for (let count = 0; count < maxTries; count += 1) {
      if (this.#socket !== undefined) this.#takeNews(this.#socket);
      await run("nft", ["-f", "-"], { netns: this.#netns, input: rules });
      this.#listed = await this.#list();
      // Of more than this one transaction, what was listed may be another's.
      if (this.#socket === undefined || this.#takeNews(this.#socket) === 1) return;
    }
  }

  /** Whether the rules are no more what was set. Costs a system call unless somebody has changed any. */
  async areSpoilt(): Promise<boolean> {
    if (this.#socket === undefined) return true;
    if (this.#takeNews(this.#socket) === 0) return false;
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

  /** Takes what has come; resolves to how many transactions that were, of which some may not have found room. */
  #takeNews(socket: number): number {
    let transactions = 0;
    for (let count = 0; count < readsAtOnce; count += 1) {
      const length = recv(socket, this.#memory.address, bytesAtOnce, MSG_DONTWAIT);
      if (length >= 0) transactions += countTransactions(this.#memory.buffer.subarray(0, length));
      else if (lastErrno() === errno.ENOBUFS) transactions += 2;
      else break;
    }
    return transactions;
  }

  async #list(): Promise<string> {
    const [family = "", name = ""] = this.#table.split(" ");
    // It is an error when there is no such table.
    const { stdout } = await run("nft", ["list", "table", family, name], {
      netns: this.#netns,
      acceptedExitCodes: [0, 1],
    });
    return stdout;
  }
}
