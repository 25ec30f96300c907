/** How frames are protected between the ends. "none": both ends prove who they are under TLS and then leave it. */
export const encryptions = ["tls", "none"] as const;

/** See {@link encryptions}. */
export type Encryption = (typeof encryptions)[number];
