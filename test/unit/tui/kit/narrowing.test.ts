import fc from "fast-check";
import { expect, it, test } from "vitest";
import { kindNamed } from "../../../../lib/kinds/kinds.js";
import { compileQuery } from "../../../../lib/query/compile.js";
import { noFacts } from "../../../../lib/query/facts.js";
import { parseQuery } from "../../../../lib/query/parse.js";
import { Instance, InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { instanceKind } from "../../../../tui/kinds/instance/instance.js";
import { Fleet } from "../../../../tui/kit/fleet/fleet.js";
import { KindTable } from "../../../../tui/kit/kind-table.js";
import { matches, parseFilter } from "../../../../tui/kit/table/filter.js";
import { narrowed } from "../../../../tui/kit/table/narrowing.js";
import { toRow } from "../../../../tui/kit/row.js";

const { columns } = instanceKind;
const { type } = kindNamed("instance");
const isColumn = (word: string): boolean => columns.some(({ id }) => id === word);

function passesAtHub(query: string, instance: Instance): boolean {
  const bind =
    ({ read }: { read: (resource: unknown, facts: typeof noFacts) => unknown }) =>
    (resource: unknown) =>
      read(resource, noFacts);
  return compileQuery<unknown>(parseQuery(query).tree, { where: "query", type, words: "text", bind })(instance);
}

const states = [InstanceState.INSTANCE_STATE_RUNNING, InstanceState.INSTANCE_STATE_STOPPED];
const instances = fc.record({
  host: fc.constantFrom("alpha", "beta", "rack2-1"),
  id: fc.constantFrom("vm1", "vm12", "web", "a.b"),
  state: fc.constantFrom(...states),
  driver: fc.constantFrom("qemu", "crun"),
  lan: fc.constantFrom("lan1", "", "office"),
  memory: fc.constantFrom(128n, 4096n),
  labels: fc.constantFrom({}, { site: "paris" }, { role: "web" }),
});
const term = fc.constantFrom(
  ...[
    "vm1",
    "web",
    "run",
    "qemu",
    "~v1",
    "!web",
    "state=run",
    "state=stopped",
    "state!=running",
    "host=alp",
    "host==alpha",
  ],
  ...[
    "name:a.",
    "lans=lan",
    "lans=office",
    "mem>1GiB",
    "memory<=128MiB",
    "label.site=paris",
    "site=par",
    "has labels.role",
  ],
  ...["driver=crun", "labels=web", "host~^rack", "address=10", "state in (running, failed)", "not vm1", "cpus>=1"],
);
const filters = fc
  .array(fc.tuple(term, fc.constantFrom(" ", " and ", " or ")), { minLength: 1, maxLength: 4 })
  .map((terms) => terms.map(([text, between], at) => (at === 0 ? text : `${between}${text}`)).join(""));

it("lets everything through that a filter lets through", () => {
  fc.assert(
    fc.property(instances, filters, ({ host, id, state, driver, lan, memory, labels }, text) => {
      const value = Instance.fromPartial({
        ...{ name: `hosts/${host}/instances/${id}`, labels },
        spec: { memoryMib: memory, cpus: 2, nics: [{ name: "eth0", lan }] },
        status: { state },
      });
      const resource = Instance.fromPartial({
        ...value,
        spec: { ...value.spec, driver: { $case: driver, value: {} } as never },
      });
      const fleet = new Fleet(new KindTable(tuiKinds), 0);
      const filter = parseFilter(text, isColumn);
      const row = toRow("instance", resource.name, resource, 0);
      if (!matches(filter, row, columns, { fleet, nowMs: 0 })) return;
      const query = narrowed("instance", columns, filter);
      expect([text, query, query === "" || passesAtHub(query, resource)]).toEqual([text, query, true]);
    }),
    { numRuns: 3000 },
  );
});

test.each([
  ["", ""],
  ["vm1", '(vm1 or driver : "vm1")'],
  ["state=run host=alpha", '(state ~ "run" and host ~ "alpha")'],
  ["name=a.b", 'id ~ "a\\\\.b"'],
  ["mem>4GiB or state=failed", '(mem > 4GiB or state ~ "failed")'],
  // What the hub does not know in the same way it is not asked.
  ["mem>4GiB state=unreach", "mem > 4GiB"],
  ["site=par or mem>4GiB", ""],
  ["!web ~vw", ""],
  ["host=alpha@paris", ""],
])("the filter %j asks the hub for %j", (text, query) => {
  expect(narrowed("instance", columns, parseFilter(text, isColumn))).toBe(query);
});
