import type { Fleet } from "../../../fleet/fleet.js";
import type { RelayHandle } from "../../../relay/relay-handle.js";
import type { LinkHosts } from "../link-hosts.js";
import type { Links } from "../links.js";

/** What a diagnosis looks at. */
export interface DiagnosisOptions {
  readonly fleet: Fleet;
  readonly hosts: LinkHosts;
  readonly links: Links;
  readonly relay: RelayHandle;
}
