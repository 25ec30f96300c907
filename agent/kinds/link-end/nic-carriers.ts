import { toMs } from "../../../lib/duration.js";
import { isPluggedEnd } from "../../../lib/link-end.js";
import { LinkCause, type LinkEnd, LinkState } from "../../../proto/gen/zor/v1/link.js";
import type { EndView } from "../../engine/protocol/end-protocol.js";
import type { LinkCarrier } from "../../network/plugged-lan.js";

const defaultHoldMs = 3_000;

interface Shown {
  readonly linkUid: string;
  carrier: LinkCarrier | undefined;
  /** Takes the carrier when the way has been down for long enough. */
  timer: NodeJS.Timeout | undefined;
}

/**
 * Which carrier the NICs at the ends of links have: as long as frames cross, and for a while after they do not, but not once the other end
 * says that there is nobody behind it. A NIC whose link has never carried frames has none.
 */
export class NicCarriers {
  readonly #show: (link: string, carrier: LinkCarrier) => void;
  /** By name of the link. */
  readonly #shown = new Map<string, Shown>();

  /** @param show has a NIC show its carrier; called when it changes. */
  constructor(show: (link: string, carrier: LinkCarrier) => void) {
    this.#show = show;
  }

  /** Links that have an end here which is a NIC. */
  get links(): readonly string[] {
    return [...this.#shown.keys()];
  }

  /** Takes up how ends are now. */
  follow(ends: readonly EndView[]): void {
    for (const end of ends) if (isPluggedEnd(end.port.lan)) this.#followOne(end);
  }

  /** There is no end of these links any more. */
  forget(links: readonly string[]): void {
    for (const link of links) {
      clearTimeout(this.#shown.get(link)?.timer);
      this.#shown.delete(link);
    }
  }

  close(): void {
    for (const { timer } of this.#shown.values()) clearTimeout(timer);
    this.#shown.clear();
  }

  #followOne({ status, carrierHold, keepCarrier }: EndView): void {
    const { link, linkUid, end } = status;
    let shown = this.#shown.get(link);
    if (shown === undefined || shown.linkUid !== linkUid) {
      clearTimeout(shown?.timer);
      shown = { linkUid, carrier: undefined, timer: undefined };
      this.#shown.set(link, shown);
    }
    const isNew = shown.carrier === undefined && end.connects === 0n;
    const carrier = keepCarrier ? "kept" : isNew ? "down" : carrierAt(end);
    if (carrier === "unchanged") return;
    if (carrier !== "fading") this.#set(link, shown, carrier);
    else if (shown.timer === undefined && shown.carrier !== "down") {
      const holdMs = carrierHold === undefined ? defaultHoldMs : toMs(carrierHold);
      const sinceMs = end.sinceTime?.getTime() ?? Date.now();
      const leftMs = Math.max(0, Math.min(holdMs, sinceMs + holdMs - Date.now()));
      const waiting = shown;
      shown.timer = setTimeout(() => this.#set(link, waiting, "down"), leftMs);
    }
  }

  #set(link: string, shown: Shown, carrier: LinkCarrier): void {
    clearTimeout(shown.timer);
    shown.timer = undefined;
    if (shown.carrier === carrier) return;
    shown.carrier = carrier;
    this.#show(link, carrier);
  }
}

/** "fading": it has none once that has lasted. */
function carrierAt({ state, cause }: LinkEnd): LinkCarrier | "unchanged" | "fading" {
  // It is our own NIC that is not there.
  if (cause === LinkCause.LINK_CAUSE_LAN_GONE) return "unchanged";
  // The cable may well carry frames, but nobody is there to get them.
  if (cause === LinkCause.LINK_CAUSE_PEER) return "down";
  return state === LinkState.LINK_STATE_ACTIVE || state === LinkState.LINK_STATE_DEGRADED ? "up" : "fading";
}
