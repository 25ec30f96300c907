import type { FieldViolation } from "../../../lib/errors.js";
import { checkImpairment, checkSchedule, dropFiltersIn } from "../../../lib/impairment.js";
import type { EndSpec } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkEncryption, LinkRole } from "../../../proto/gen/zor/v1/link.js";
import { checkDropPrograms } from "./drop-program.js";

const secretBytes = 32;
const maxAddresses = 16;
const maxAddressLength = 300;
/** "instances/{instance}/nics/{nic}" with the longest names. */
const maxLanLength = 144;
const maxTicketSeconds = 3_600;
const roles: readonly LinkRole[] = [LinkRole.LINK_ROLE_LISTENER, LinkRole.LINK_ROLE_DIALER];
const encryptions: readonly LinkEncryption[] = [
  LinkEncryption.LINK_ENCRYPTION_UNSPECIFIED,
  LinkEncryption.LINK_ENCRYPTION_TLS,
  LinkEncryption.LINK_ENCRYPTION_NONE,
];

/** Checks the end of a cable, whoever asks for it; `field` is its proto path. What names and addresses mean is for the agent to judge. */
export function checkEnd(field: string, end: EndSpec): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const check = (name: string, good: boolean, description: string): void => {
    if (!good) violations.push({ field: `${field}.${name}`, description });
  };
  const { link, linkUid, lan, ticket, ticketTtlSeconds: ttl, relayTicket } = end;
  check("link", /^links\/.{1,74}$/.test(link), 'must be "links/{link}"');
  check("link_uid", linkUid.length >= 1 && linkUid.length <= 128, "must be 1 to 128 characters");
  check("lan", lan.length >= 1 && lan.length <= maxLanLength, "must be the id of a lan, or a NIC, tap or phy");
  check("role", roles.includes(end.role), "must be LINK_ROLE_LISTENER or LINK_ROLE_DIALER");
  for (const [name, addresses] of [
    ["peer_addresses", end.peerAddresses],
    ["relay_addresses", end.relayAddresses],
  ] as const) {
    check(name, addresses.length <= maxAddresses, `at most ${maxAddresses} addresses`);
    check(
      name,
      addresses.every((one) => one.length <= maxAddressLength),
      `at most ${maxAddressLength} characters each`,
    );
  }
  check("peer_key_sha256", end.peerKeySha256.length === secretBytes, `must be ${secretBytes} bytes`);
  for (const [name, secret] of [
    ["ticket", ticket],
    ["relay_ticket", relayTicket],
  ] as const) {
    check(name, secret.length === 0 || secret.length === secretBytes, `must be ${secretBytes} bytes, or empty`);
  }
  check(
    "ticket_ttl_seconds",
    ticket.length === 0 || (Number.isInteger(ttl) && ttl >= 1 && ttl <= maxTicketSeconds),
    `must be 1 to ${maxTicketSeconds}`,
  );
  check("encryption", encryptions.includes(end.encryption), "must be LINK_ENCRYPTION_TLS or LINK_ENCRYPTION_NONE");
  return [
    ...violations,
    ...checkImpairment(`${field}.impairment`, end.impairment),
    ...checkSchedule(`${field}.schedule`, end.schedule),
  ];
}

/** Checks an end as an engine takes it: what its agent must have compiled is there. */
export function checkWholeEnd(field: string, end: EndSpec): FieldViolation[] {
  const { impairment, schedule, dropPrograms } = end;
  const filters = dropFiltersIn(field, { ways: { impairment }, schedule });
  return [...checkEnd(field, end), ...checkDropPrograms(`${field}.drop_programs`, filters, dropPrograms)];
}
