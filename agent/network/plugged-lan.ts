/** What of a lan, or of a NIC that stands for one, matters to cables and boxes. */
export interface PluggedLan {
  /** Why the lan as a whole forwards nothing, whatever its ports are; absent or empty: it does. */
  readonly fault?: string;
  readonly ports: readonly { readonly port: string; readonly endpoint: string; readonly error: string }[];
}

/** What a NIC at the end of a link shows its guest; "kept": carrier whatever happens. */
export type LinkCarrier = "up" | "down" | "kept";
