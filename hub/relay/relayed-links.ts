/** A host at an end of a link. */
export interface RelayedHost {
  /** Id of the host. */
  readonly host: string;
  /** Identity of the machine, which tickets are bound to. */
  readonly hostUid: string;
}

/** What the relay must know of the links whose ends come to it. */
export interface RelayedLinks {
  /** Uids of all links that there are. */
  uids(): Iterable<string>;
  /** Hosts whose ends of the link may come; none when there is no such link, or it is not one that is relayed. */
  admitted(linkUid: string): readonly RelayedHost[];
  /** Uids of the hosts for which a link's bytes count. */
  hostUidsOf(linkUid: string): readonly string[];
}
