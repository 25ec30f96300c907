/** What of a lan, or of a NIC that stands for one, matters to cables and boxes. */
export interface PluggedLan {
  /** Why the lan as a whole forwards nothing, whatever its ports are; absent or empty: it does. */
  readonly fault?: string;
  readonly ports: readonly { readonly port: string; readonly endpoint: string; readonly error: string }[];
}

/** What a NIC at the end of a link shows its guest; "kept": carrier whatever happens. */
export type LinkCarrier = "up" | "down" | "kept";

/** A link that is plugged into a NIC, a tap or an interface of the host. */
export interface PluggedEnd {
  /** Name of the link. */
  readonly link: string;
  /** Resource name of what it is plugged into. */
  readonly end: string;
  /** Its device in the switch's namespace. */
  readonly port: string;
}
