import type { EndSpec } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import type { Credential } from "../handshake/hello.js";
import { applySpec, type EndRecord, withOffer, withUsedTicket } from "./end-record.js";
import { credentialsOf, type SpentTicket, spentOf, withConfirmed } from "./end-secrets.js";

/** What is stored of an end: what it is to be, and what it has agreed on with the other. */
export class EndBook {
  readonly #save: () => Promise<void>;
  #record: EndRecord;

  /** @param save makes the record durable. */
  constructor(record: EndRecord, save: () => Promise<void>) {
    this.#record = record;
    this.#save = save;
  }

  get record(): EndRecord {
    return this.#record;
  }

  /** What to show to the listener: what was agreed on, what may have been, and the newest tickets. */
  get credentials(): readonly Credential[] {
    return credentialsOf(this.#record, Date.now());
  }

  /** Tickets that were good once. */
  get spent(): readonly SpentTicket[] {
    return spentOf(this.#record, Date.now());
  }

  /** The record as it becomes when the end is asked for so. Nothing changes yet. */
  asked(spec: EndSpec): EndRecord {
    return applySpec(spec, this.#record, Date.now());
  }

  /** Takes another record up. The caller saves. */
  replace(record: EndRecord): void {
    this.#record = record;
  }

  /** Remembers, durably, that the peer may come back with this secret. */
  async offer(secret: Buffer): Promise<void> {
    this.#record = withOffer(this.#record, secret);
    await this.#save();
  }

  /** The dialer has confirmed: see `ListenerEnd`. */
  async confirm(credential: Credential, offered: Buffer): Promise<void> {
    const paired = withConfirmed(this.#record, credential, offered);
    if (paired === this.#record) return;
    this.#record = paired;
    await this.#save();
  }

  /** Stores, durably, what a listener has agreed on for a ticket. */
  async storePairing(credential: Credential, secret: Buffer): Promise<void> {
    this.#record = { ...withUsedTicket(this.#record, credential.secret), pairing: secret };
    await this.#save();
  }
}
