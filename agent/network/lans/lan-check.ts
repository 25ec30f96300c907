import type { FieldViolation } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import { checkSpecFlows } from "../flows/spec-flows.js";
import { checkOutlets } from "../outlets/check-outlets.js";
import type { LanSpec } from "../../../proto/gen/zor/v1/lan.js";

const prioritySteps = 4096;
const maxRspans = 8;
const defaults = { maxAge: 20, forwardDelay: 15 } as const;

/** What is wrong with the settings of a lan. @param before what it is; undefined: it is new. */
export function checkLanSettings(wanted: LanSpec, before: LanSpec | undefined): readonly FieldViolation[] {
  const { rstp, flood, multicastSnooping } = wanted;
  const found = (field: string, description: string): FieldViolation => ({ field: `lan.spec.${field}`, description });
  return [
    ...(before?.rstp === true && !rstp
      ? [found("rstp", "cannot be turned off: links and boxes may form a loop that it breaks; make another lan")]
      : []),
    ...checkRstp(wanted, found),
    ...(flood && multicastSnooping !== undefined
      ? [found("multicast_snooping", "is of no use in a lan that floods; leave one of both out")]
      : []),
    ...checkSnooping(wanted, found),
    ...checkRspans(wanted, found),
    ...checkSpecFlows("lan.spec.flows", wanted.flows),
    ...checkOutlets(wanted, found),
  ];
}

type Find = (field: string, description: string) => FieldViolation;

function checkRstp({ rstp, rstpSettings }: LanSpec, found: Find): readonly FieldViolation[] {
  if (rstpSettings === undefined) return [];
  if (!rstp) return [found("rstp_settings", "needs rstp: set it too, or leave the settings out")];
  const { priority = 0, maxAgeSeconds, forwardDelaySeconds } = rstpSettings;
  const [maxAge, delay] = [maxAgeSeconds || defaults.maxAge, forwardDelaySeconds || defaults.forwardDelay];
  const isStep = priority >= 0 && priority <= 61_440 && priority % prioritySteps === 0;
  return [
    ...(isStep
      ? []
      : [found("rstp_settings.priority", `${priority} is not a multiple of ${prioritySteps} between 0 and 61440`)]),
    ...outside(found, "rstp_settings.max_age_seconds", { value: maxAge, min: 6, max: 40 }),
    ...outside(found, "rstp_settings.forward_delay_seconds", { value: delay, min: 4, max: 30 }),
    ...(maxAge > 2 * (delay - 1)
      ? [
          found(
            "rstp_settings.max_age_seconds",
            `${maxAge} is more than twice the forward delay less a second, ${2 * (delay - 1)} (IEEE 802.1D); raise that, or lower this`,
          ),
        ]
      : []),
  ];
}

function checkSnooping({ multicastSnooping }: LanSpec, found: Find): readonly FieldViolation[] {
  if (multicastSnooping === undefined) return [];
  const { tableSize, ageingSeconds } = multicastSnooping;
  return [
    ...(tableSize === 0
      ? []
      : outside(found, "multicast_snooping.table_size", { value: tableSize, min: 1, max: 65_536 })),
    ...(ageingSeconds === 0
      ? []
      : outside(found, "multicast_snooping.ageing_seconds", { value: ageingSeconds, min: 15, max: 3600 })),
  ];
}

function checkRspans({ rspans }: LanSpec, found: Find): readonly FieldViolation[] {
  if (rspans.length > maxRspans) return [found("rspans", `${rspans.length} are more than ${maxRspans}`)];
  return rspans.flatMap(({ mirror, vlan }, index) => {
    const others = rspans.slice(0, index);
    return [
      ...(isId(mirror)
        ? []
        : [found(`rspans[${index}].mirror`, `${quote(mirror)} is not a name of a mirror such as "span1"`)]),
      ...outside(found, `rspans[${index}].vlan`, { value: vlan, min: 1, max: 4094 }),
      ...(others.some((other) => other.mirror === mirror)
        ? [
            found(
              `rspans[${index}].mirror`,
              `${quote(mirror)} is there twice; the copies of a mirror go out in one VLAN`,
            ),
          ]
        : []),
      ...(others.some((other) => other.vlan === vlan)
        ? [found(`rspans[${index}].vlan`, `${vlan} is there twice; give each mirror a VLAN of its own`)]
        : []),
    ];
  });
}

function outside(
  found: Find,
  field: string,
  { value, min, max }: { readonly value: number; readonly min: number; readonly max: number },
): readonly FieldViolation[] {
  return value >= min && value <= max ? [] : [found(field, `${value} is not between ${min} and ${max}`)];
}
