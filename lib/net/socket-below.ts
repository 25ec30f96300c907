import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** The socket that TLS runs on; undefined where it runs on none. Node keeps it in a field that is not part of its types. */
export function socketBelow(socket: TLSSocket): Socket | undefined {
  return (socket as unknown as { readonly _parent?: Socket })._parent;
}
