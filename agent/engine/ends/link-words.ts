import { LinkCause, LinkPath, LinkState } from "../../../proto/gen/zor/v1/link.js";
import type { Cause, EndState, Path } from "./link-state.js";

/** The phases of an end in the words of the API. */
export const states: Readonly<Record<EndState["phase"], LinkState>> = {
  pending: LinkState.LINK_STATE_PENDING,
  probing: LinkState.LINK_STATE_PROBING,
  active: LinkState.LINK_STATE_ACTIVE,
  degraded: LinkState.LINK_STATE_DEGRADED,
  down: LinkState.LINK_STATE_DOWN,
};

/** Why an end is not active in the words of the API. */
export const causes: Readonly<Record<Cause, LinkCause>> = {
  "": LinkCause.LINK_CAUSE_UNSPECIFIED,
  refused: LinkCause.LINK_CAUSE_REFUSED,
  "timed-out": LinkCause.LINK_CAUSE_TIMED_OUT,
  unreachable: LinkCause.LINK_CAUSE_UNREACHABLE,
  certificate: LinkCause.LINK_CAUSE_CERTIFICATE,
  ticket: LinkCause.LINK_CAUSE_TICKET,
  unpaired: LinkCause.LINK_CAUSE_TICKET,
  version: LinkCause.LINK_CAUSE_VERSION,
  "unknown-link": LinkCause.LINK_CAUSE_PEER,
  protocol: LinkCause.LINK_CAUSE_PROTOCOL,
  policy: LinkCause.LINK_CAUSE_POLICY,
  relay: LinkCause.LINK_CAUSE_RELAY,
  lost: LinkCause.LINK_CAUSE_LOST,
  peer: LinkCause.LINK_CAUSE_PEER,
  port: LinkCause.LINK_CAUSE_LAN_GONE,
};

/** The ways of a connection in the words of the API. */
export const paths: Readonly<Record<Path, LinkPath>> = {
  direct: LinkPath.LINK_PATH_DIRECT,
  relayed: LinkPath.LINK_PATH_RELAYED,
};
