import { expect, test } from "vitest";
import { DropFilters } from "../../../../agent/cable/drop-filters.js";
import { invalidArgument } from "../../../../lib/errors.js";
import { dropFiltersIn } from "../../../../lib/impairment.js";
import { Impairment, ImpairmentStep } from "../../../../proto/gen/zor/v1/impairment.js";

const { signal } = new AbortController();
const dropping = (dropFilter: string) => Impairment.fromPartial({ dropFilter });

function compiler() {
  const asked: string[] = [];
  const filters = new DropFilters("alpha", async ({ filter }) => {
    asked.push(filter);
    if (filter.startsWith("bad")) throw invalidArgument("filter", "syntax error");
    return [[6, 0, 0, filter.length]];
  });
  return { asked, filters };
}

test("every field that does not compile is named", async () => {
  const { filters } = compiler();
  const ways = { a_to_b: dropping("bad1"), b_to_a: dropping("icmp") };
  const schedule = [ImpairmentStep.fromPartial({}), ImpairmentStep.fromPartial({ impairment: dropping("bad2") })];
  const fields = dropFiltersIn("x.spec", { ways, schedule });
  await expect(filters.check(fields, signal)).rejects.toMatchObject({
    violations: [
      { field: "x.spec.a_to_b.drop_filter", description: "syntax error" },
      { field: "x.spec.schedule[1].impairment.drop_filter", description: "syntax error" },
    ],
  });
});

test("a filter is compiled once, and the engine gets one program for each text", async () => {
  const { filters, asked } = compiler();
  const ways = { a: dropping("icmp"), b: dropping("icmp"), c: undefined };
  const schedule = [ImpairmentStep.fromPartial({ impairment: dropping("arp") })];
  const programs = await filters.programs(ways, schedule, signal);
  expect(programs.map(({ filter }) => filter)).toEqual(["icmp", "arp"]);
  expect(programs[0]?.program).toEqual(Buffer.from([6, 0, 0, 0, 4, 0, 0, 0]));
  expect(await filters.programs(ways, schedule, signal)).toEqual(programs);
  expect(asked).toEqual(["icmp", "arp"]);
});

test("no more are remembered than there is room for", async () => {
  const { filters, asked } = compiler();
  const check = (number: number) => filters.check([{ field: "f", filter: `port ${number}` }], signal);
  for (let number = 0; number < 300; number += 1) await check(number);
  await check(299);
  expect(asked).toHaveLength(300);
  await check(0);
  expect(asked).toHaveLength(301);
});
