import { invalidArgument } from "../../../lib/errors.js";
import { parseFilterLine } from "../../../lib/filter-rule.js";
import { quote } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import { FilterDirection, PortFilter } from "../../../proto/gen/zor/v1/acl.js";
import type { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { type Flag, type FlagValues, flagTexts } from "../../kit/kind-commands.js";

/** Flags that say what NICs let in and out. */
export const filterFlags: readonly Flag[] = [
  {
    flags: "--filter-rule <rule>",
    help: "what its interfaces let pass, all rules anew, in order; may be repeated; see below",
    repeatable: true,
  },
  { flags: "--no-filter-rule", help: "its interfaces let everything pass" },
];

/** Said in the help of a command with these flags. */
export const filterNote = [
  'A rule is "in|out allow|drop [PROTOCOL [PORTS]] [from|to ADDRESS[/BITS]]", with',
  '"from|to instances EXPR" for instances by their labels, or "in|out default drop".',
  '"eth0: " before it is for that interface only. Answers always pass.',
].join("\n");

/** Whether the flags say something of filters. */
export function saysFilter(values: FlagValues): boolean {
  return values["filterRule"] === false || flagTexts(values, "filterRule").length > 0;
}

/** The interfaces with the filters that the flags say. @throws {ZorError} */
export function withFilters(nics: readonly Nic[], values: FlagValues): readonly Nic[] {
  if (values["filterRule"] === false) return nics.map((nic) => withFilter(nic, undefined));
  const lines = flagTexts(values, "filterRule").map((text) => {
    const [, nic, line = text] = /^([A-Za-z0-9._-]+):\s*(.*)$/.exec(text) ?? [];
    return { nic, line: parseFilterLine("--filter-rule", line) };
  });
  // The agent names by their place those that have no name.
  const nameOf = ({ name }: Nic, index: number): string => (name === "" ? `eth${index}` : name);
  const names = nics.map(nameOf);
  const stranger = lines.find(({ nic }) => nic !== undefined && !names.includes(nic));
  if (stranger !== undefined)
    throw invalidArgument(
      "--filter-rule",
      `${quote(stranger.nic ?? "")} is no interface of it; it has ${listed(names) || "none"}`,
    );
  return nics.map((nic, index) => {
    const own = lines.filter((each) => each.nic === undefined || each.nic === nameOf(nic, index));
    if (own.length === 0) return nic;
    const filter = PortFilter.fromPartial({});
    for (const { line } of own) {
      if ("rule" in line) filter.rules.push(line.rule);
      else if (line.direction === FilterDirection.FILTER_DIRECTION_IN) filter.defaultIn = line.byDefault;
      else filter.defaultOut = line.byDefault;
    }
    return withFilter(nic, filter);
  });
}

function withFilter(nic: Nic, filter: PortFilter | undefined): Nic {
  if (filter === undefined && nic.portSettings === undefined) return nic;
  return { ...nic, portSettings: { ...(nic.portSettings ?? PortSettings.create()), filter } };
}
