/** Which end of a link comes to the relay: the one that listens on a direct path, or the one that dials. */
export type RelayRole = "listener" | "dialer";
